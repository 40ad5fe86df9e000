import { answerTimeoutMs } from '../answer-timeout'
import { costMicroUsd } from '../cost'
import { checkInHand, lengthInHand, tooLargeFor } from '../data-url'
import { ProviderError } from '../errors'
import type { VendorAnswer } from '../http'
import { joined, portions, several } from '../several'
import type { Done, ProviderContext, ProviderInput } from '../spec'
import { ChatAnswer } from './answers'
import { ask } from './ask'
import { chatFields } from './fields'
import { MOST_BYTES } from './pictures'
import { refusalOf } from './refusal'

/** Texts by chat completions. Several outputs are several choices of one call: its input is paid for once. */
export async function writeTexts(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Done> {
  checkInHand(input.images)
  if (lengthInHand(input.images) > MOST_BYTES) throw tooLargeFor('openai', MOST_BYTES)
  const perCall = input.config.outputs_per_call ?? input.numOutputs
  const url = `${baseUrl}/chat/completions`
  const made = await several(portions(input.numOutputs, perCall), async count => {
    const json = chatFields(input, count)
    const timeoutMs = answerTimeoutMs(ctx)
    return readTexts(await ask(ctx, { url, method: 'POST', json, timeoutMs }), input)
  })
  return joined(made, input.numOutputs)
}

function readTexts(answer: VendorAnswer, { config }: ProviderInput): Done {
  const read = ChatAnswer.safeParse(answer.json)
  if (answer.status !== 200 || !read.success) throw refusalOf(answer)
  const { choices, usage } = read.data
  const texts = choices.flatMap(({ message }) => (message.content?.trim() ? message.content : []))
  if (texts.length === 0) throw whyEmpty(choices)
  const cost = costMicroUsd(config.cost, { calls: 1, outputs: texts.length })
  return {
    state: 'done',
    outputs: texts.map(text => ({ type: 'text', text })),
    usage: {
      ...(typeof usage?.prompt_tokens === 'number' ? { inputTokens: usage.prompt_tokens } : {}),
      ...(typeof usage?.completion_tokens === 'number'
        ? { outputTokens: usage.completion_tokens }
        : {}),
      ...(cost === null ? {} : { costMicroUsd: cost }),
    },
  }
}

function whyEmpty(choices: ChatAnswer['choices']): ProviderError {
  const refusal = choices.find(({ message }) => message.refusal)?.message.refusal
  const reasons = choices.map(choice => choice.finish_reason)
  if (refusal || reasons.includes('content_filter')) {
    return new ProviderError('rejected', refusal ?? 'content_filter', { reason: 'content' })
  }
  if (reasons.includes('length')) {
    const why = 'the limit of tokens was used up before the first word'
    return new ProviderError('rejected', why, { reason: 'input' })
  }
  return new ProviderError('unavailable', `no text in the answer (${reasons.join()})`)
}
