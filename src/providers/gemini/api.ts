import { createAsker } from '../http'

export const GEMINI_BASE_URL = 'https://generativelanguage.googleapis.com/v1beta'

export const { ask, askAbout } = createAsker('gemini', keyHeader)

/** In a header, where no log of addresses sees it. */
export function keyHeader(apiKey: string): Record<string, string> {
  return { 'x-goog-api-key': apiKey }
}

/** Lists name models as `models/<id>`, people as `<id>`. */
export function modelPath(model: string): string {
  return `/models/${encodeURIComponent(model.replace(/^models\//, ''))}`
}
