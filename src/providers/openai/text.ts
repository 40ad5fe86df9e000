import { costMicroUsd } from '../cost'
import { ProviderError } from '../errors'
import type { VendorAnswer } from '../http'
import type { Done, ProviderContext, ProviderInput } from '../spec'
import { ChatAnswer } from './answers'
import { ask } from './ask'
import { chatFields } from './fields'
import { refusalOf } from './refusal'
import { several } from './several'

/** Texts by chat completions. Several outputs are several choices of one call: its input is paid for once. */
export async function writeTexts(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Done> {
  const perCall = input.config.outputs_per_call ?? input.numOutputs
  return await several(input.numOutputs, perCall, async count => {
    const json = chatFields(input, count)
    const url = `${baseUrl}/chat/completions`
    return readTexts(await ask(ctx, { url, method: 'POST', json }), input)
  })
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
