import { answerTimeoutMs } from '../answer-timeout'
import { charged } from '../charged'
import { ProviderError } from '../errors'
import type { VendorAnswer } from '../http'
import { joined, portions, several } from '../several'
import type { Done, Output, ProviderContext, ProviderInput } from '../spec'
import { ImagesAnswer } from './answers'
import { ask } from './ask'
import { imageFields } from './fields'
import { refusalOf } from './refusal'
import { toldCost, usageOf } from './usage'

/**
 * Pictures by the endpoint for pictures. One a call unless the route says otherwise: most vendors behind
 * make one, and refuse a call for more.
 */
export async function makeImages(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Done> {
  const counts = portions(input.numOutputs, input.config.outputs_per_call ?? 1)
  const url = `${baseUrl}/images`
  const made = await several(counts, async count => {
    const json = imageFields(input, count, ctx.reference)
    const timeoutMs = answerTimeoutMs(ctx)
    return readImages(await ask(ctx, { url, method: 'POST', json, timeoutMs }), input)
  })
  return joined(made, input.numOutputs)
}

function readImages(answer: VendorAnswer, { config }: ProviderInput): Done {
  const read = ImagesAnswer.safeParse(answer.json)
  if (answer.status !== 200 || !read.success) throw refusalOf(answer)
  const { data, usage } = read.data
  const outputs = data.flatMap(({ b64_json }) => pictureOf(b64_json ?? ''))
  if (outputs.length === 0) {
    throw charged(new ProviderError('unavailable', 'no picture in the answer'), toldCost(usage))
  }
  return { state: 'done', outputs, usage: usageOf(usage, config.cost, { outputs: outputs.length }) }
}

/** None when it is not base64. What kind of picture it is, its bytes say. */
export function pictureOf(base64: string): Output[] {
  try {
    const bytes = Uint8Array.fromBase64(base64)
    return bytes.length > 0 ? [{ type: 'file', bytes, contentType: null }] : []
  } catch {
    return []
  }
}
