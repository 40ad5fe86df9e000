import { SECOND } from '@/base/clock'
import { ProviderError } from '../errors'
import type { Provider, ProviderContext, ProviderInput } from '../spec'
import { withoutPictures } from '../without-pictures'
import { ErrorAnswer, ModelsAnswer } from './answers'
import { ask } from './ask'
import { makeImages } from './images'
import { OpenaiParams } from './params'
import { refusalOf } from './refusal'
import { writeTexts } from './text'

export type OpenaiOptions = {
  /** Without a slash at the end. */
  baseUrl?: string
}

/**
 * OpenAI's picture and text models. Every call answers at once or never: there is no job to ask about, no
 * callback, and nothing to cancel but the connection.
 */
export function createOpenai({
  baseUrl = 'https://api.openai.com/v1',
}: OpenaiOptions = {}): Provider {
  return withoutPictures({
    name: 'openai',
    params: OpenaiParams,
    start: (input, ctx) => make(input, ctx, baseUrl),
    check: ctx => checkKey(ctx, baseUrl),
  })
}

async function make(input: ProviderInput, ctx: ProviderContext, baseUrl: string) {
  if (input.kind === 'image' || input.kind === 'image_edit') {
    return await makeImages(input, ctx, baseUrl)
  }
  if (input.kind === 'text') return await writeTexts(input, ctx, baseUrl)
  throw new ProviderError('rejected', `openai makes no ${input.kind}`, { reason: 'input' })
}

const CHECK_TIMEOUT_MS = 15 * SECOND

async function checkKey(ctx: ProviderContext, baseUrl: string): Promise<void> {
  const answer = await ask(ctx, { url: `${baseUrl}/models`, timeoutMs: CHECK_TIMEOUT_MS })
  if (answer.status === 200 && ModelsAnswer.safeParse(answer.json).success) return
  if (isTrueKeyOfLittleScope(answer.json)) return
  throw refusalOf(answer)
}

/** A key that may make pictures need not be one that may list models; that it is named so proves it. */
function isTrueKeyOfLittleScope(body: unknown): boolean {
  const told = ErrorAnswer.safeParse(body)
  return told.success && /missing scopes/i.test(told.data.error.message ?? '')
}
