import { answerTimeoutMs } from '../answer-timeout'
import { costMicroUsd } from '../cost'
import { modelOf } from '../map-input'
import { joined, portions, several } from '../several'
import type { Done, ProviderContext, ProviderInput } from '../spec'
import { readContent } from './answer'
import { ask, modelPath } from './api'
import { contentBody } from './body'
import { readParams } from './params'
import { takePictures } from './pictures'

/** Pictures and texts, of which one call makes one: several are several calls, side by side. */
export async function generate(
  baseUrl: string,
  input: ProviderInput,
  ctx: ProviderContext,
): Promise<Done> {
  // Before anything is fetched: with wrong parameters no picture is of use.
  readParams(input)
  const pictures = await takePictures(input.images, ctx)
  const request = {
    url: `${baseUrl}${modelPath(modelOf(input))}:generateContent`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    // Once for all calls: it may hold many megabytes of pictures.
    body: new TextEncoder().encode(JSON.stringify(contentBody(input, pictures))),
    timeoutMs: answerTimeoutMs(ctx),
  }
  const wanted = input.kind === 'text' ? 'text' : 'picture'
  // Google tells tokens and no money, so the route's price says what a call that made something cost.
  const price = costMicroUsd(input.config.cost ?? null, { calls: 1, outputs: 1 })

  const made = await several(portions(input.numOutputs, 1), async (): Promise<Done> => {
    const { output, usage } = readContent(await ask(ctx, request), wanted)
    const paid = price === null ? {} : { costMicroUsd: price }
    return { state: 'done', outputs: [output], usage: { ...usage, ...paid } }
  })
  return joined(made, input.numOutputs)
}
