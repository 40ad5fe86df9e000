import { MINUTE } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { several } from '../several'
import type { Done, ProviderContext, ProviderInput, ProviderUsage } from '../spec'
import { type Made, readContent } from './answer'
import { ask, keyHeaders, modelPath } from './api'
import { contentBody } from './body'
import { readParams } from './params'
import { fetchPictures } from './pictures'

/** A picture of 4K with thinking takes minutes. */
const GENERATE_TIMEOUT_MS = 5 * MINUTE

/** Pictures and texts, of which one call makes one: several are several calls, side by side. */
export async function generate(
  baseUrl: string,
  input: ProviderInput,
  ctx: ProviderContext,
): Promise<Done> {
  // Before anything is fetched: without a key or with wrong parameters no picture is of use.
  keyHeaders(ctx)
  readParams(input)
  const pictures = await fetchPictures(input.images, ctx)
  const { with_images_model: withImages } = input.config
  const model = pictures.length > 0 && withImages ? withImages : input.providerModel
  const url = `${baseUrl}${modelPath(model)}:generateContent`
  // Once for all calls: it may hold many megabytes of pictures.
  const body = new TextEncoder().encode(JSON.stringify(contentBody(input, pictures)))
  const headers = { 'content-type': 'application/json' }
  const wanted = input.kind === 'text' ? 'text' : 'picture'

  const one = async () => {
    const request = { url, method: 'POST', headers, body, timeoutMs: GENERATE_TIMEOUT_MS }
    return readContent(await ask(ctx, request), wanted, ctx.apiKey)
  }
  const made = await several(Array.from({ length: input.numOutputs }, one))
  return { state: 'done', outputs: made.map(({ output }) => output), usage: sum(made, input) }
}

/** Google tells tokens and no money, so the route's price says what the calls that made something cost. */
function sum(made: Made[], { config }: ProviderInput): ProviderUsage {
  const total: ProviderUsage = {}
  for (const { inputTokens, outputTokens } of made.map(({ usage }) => usage)) {
    if (inputTokens !== undefined) total.inputTokens = (total.inputTokens ?? 0) + inputTokens
    if (outputTokens !== undefined) total.outputTokens = (total.outputTokens ?? 0) + outputTokens
  }
  const cost = costMicroUsd(config.cost, { calls: made.length, outputs: made.length })
  return cost === null ? total : { ...total, costMicroUsd: cost }
}
