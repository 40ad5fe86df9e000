import { answerTimeoutMs } from '../answer-timeout'
import { charged } from '../charged'
import { ProviderError } from '../errors'
import type { VendorAnswer } from '../http'
import { joined, portions, several } from '../several'
import type { Done, Output, ProviderContext, ProviderInput } from '../spec'
import { ChatAnswer, type Choice } from './answers'
import { ask } from './ask'
import { chatImageFields, type Fields, textFields } from './fields'
import { pictureOf } from './images'
import { contentRefusal, refusalBy, refusalIn, refusalOf, speaksOfContent } from './refusal'
import { toldCost, usageOf } from './usage'

/** A chat completion has one answer; more outputs are more calls. */
const PER_CALL = 1

/** Pictures by chat completions, for models that draw in the middle of a talk. */
export async function drawByChat(input: ProviderInput, ctx: ProviderContext, baseUrl: string) {
  return await complete(chatImageFields(input), picturesOf, { input, ctx, baseUrl })
}

/** Texts by chat completions. */
export async function writeTexts(input: ProviderInput, ctx: ProviderContext, baseUrl: string) {
  return await complete(textFields(input), textsOf, { input, ctx, baseUrl })
}

type Asked = { input: ProviderInput; ctx: ProviderContext; baseUrl: string }

async function complete(
  json: Fields,
  take: (choice: Choice) => Output[],
  { input, ctx, baseUrl }: Asked,
): Promise<Done> {
  const timeoutMs = answerTimeoutMs(ctx)
  const request = { url: `${baseUrl}/chat/completions`, method: 'POST', json, timeoutMs }
  const made = await several(portions(input.numOutputs, PER_CALL), async (): Promise<Done> => {
    const answer = await ask(ctx, request)
    const read = ChatAnswer.safeParse(answer.json)
    if (answer.status !== 200 || !read.success) throw refusalOf(answer)
    const { choices, usage } = read.data
    const good = choices.filter(choice => !choice.error && choice.finish_reason !== 'error')
    const outputs = good.flatMap(take)
    if (outputs.length === 0) throw charged(whyNothing(choices, answer), toldCost(usage))
    const counted = { outputs: outputs.length }
    return { state: 'done', outputs, usage: usageOf(usage, input.config.cost, counted) }
  })
  return joined(made, input.numOutputs)
}

/** As base64 in a data address, or as an address where they lie. */
function picturesOf({ message }: Choice): Output[] {
  return (message?.images ?? []).flatMap(({ image_url: { url } }): Output[] => {
    const [, base64] = /^data:[^,]*;base64,(.*)$/s.exec(url) ?? []
    if (base64 !== undefined) return pictureOf(base64)
    return url.startsWith('https://') ? [{ type: 'file', url, contentType: null }] : []
  })
}

function textsOf({ message, finish_reason }: Choice): Output[] {
  const text = contentOf(message)
  const isUsable = text.trim() !== '' && finish_reason !== 'content_filter'
  return isUsable ? [{ type: 'text', text }] : []
}

function contentOf(message: Choice['message']): string {
  const content = message?.content ?? ''
  return typeof content === 'string' ? content : content.map(part => part.text ?? '').join('')
}

/** Failures that come with status 200, because the vendor behind had begun. */
function whyNothing(choices: readonly Choice[], answer: VendorAnswer): ProviderError {
  for (const { error, message, finish_reason, native_finish_reason } of choices) {
    if (error) return refusalBy(error, answer)
    if (message?.refusal) return contentRefusal(message.refusal)
    if (finish_reason === 'content_filter' || speaksOfContent(native_finish_reason ?? '')) {
      return contentRefusal(`finished by ${native_finish_reason ?? finish_reason}`)
    }
    if (finish_reason === 'length') {
      const why = 'the limit of tokens was used up before anything was made'
      return new ProviderError('rejected', why, { reason: 'input' })
    }
  }
  // An error object beside the choices, or the vendor's silence.
  return refusalIn(answer) ?? new ProviderError('unavailable', 'nothing in the answer')
}
