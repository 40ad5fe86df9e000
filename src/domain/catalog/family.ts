import { invalidInput } from '@/base/errors'
import type { Deps } from '@/deps'
import { findModel, listModels, type Model } from './find'

/** What apps call a family of picture models, and what the catalogue calls it. */
const FAMILIES: ReadonlyMap<string, string> = new Map([
  ['flux', 'flux'],
  ['ideogram', 'ideogram'],
  ['runway', 'runway'],
  ['recraft', 'recraft'],
  ['reve', 'reve'],
  ['luma', 'luma'],
  ['qwen', 'qwen-image'],
  ['seedream', 'seedream'],
  ['gemini', 'gemini'],
  ['chatgpt', 'gpt-image'],
])
export const IMAGE_FAMILIES: readonly string[] = [...FAMILIES.keys()]
const MAKES_PICTURES = new Set(['image', 'image_edit'])

/** The catalogue's name of a family that may be asked for pictures; null when there is none of this word. */
export function findImageFamily(word: string): string | null {
  return FAMILIES.get(word) ?? null
}

/**
 * The name of the model that a call for pictures of a family means. A model that is named must be one of
 * them, or it is a 400 that names `model`; one that nobody sells is handed on as it is, because a repeated
 * call may still get the job of a model that has gone. Without a name it is the cheapest that takes this
 * many pictures (which, without any, one that needs some is not), of equal price the first by name: the
 * same call means the same model for as long as nobody changes the catalogue.
 */
export function modelOfFamily(
  deps: Pick<Deps, 'db' | 'cache'>,
  family: string,
  wanted: { model: string | null; pictures: number },
): string {
  const models = listModels(deps)
    .filter(model => model.family === family && MAKES_PICTURES.has(model.kind))
    .sort((a, b) => a.tokenCost - b.tokenCost)
  if (wanted.model === null) return cheapest(models, wanted.pictures)
  const named = findModel(deps, wanted.model)
  if (named && !models.some(({ id }) => id === named.id)) {
    const names = models.map(({ name }) => name).sort()
    throw invalidInput(
      'model',
      names.length > 0
        ? `must make pictures and be of this family: ${names.join(', ')}`
        : 'must be of this family, and none of it is on sale',
    )
  }
  return wanted.model
}

/** No model at all has the empty name. */
const NOBODY = ''

/** Where none takes as many pictures, the one whose own refusal says how many it takes. */
function cheapest(models: readonly Model[], pictures: number): string {
  const fitting = models.filter(model =>
    pictures === 0 ? model.kind === 'image' : model.maxInputImages >= pictures,
  )
  const most = Math.max(...models.map(model => model.maxInputImages))
  const widest = models.filter(model => model.maxInputImages === most)
  return (fitting[0] ?? widest[0])?.name ?? NOBODY
}
