import { z } from 'zod'
import { ProviderError } from '../errors'
import { errorOfStatus, type VendorAnswer } from '../http'
import type { Output, ProviderUsage } from '../spec'
import { GoogleError, geminiError } from './errors'

type Made = { output: Output; usage: ProviderUsage }

/**
 * The one picture or text of an answer of `generateContent`. Refusals come with status 200, so all that is
 * not the asked-for thing is thrown: `rejected` by policy, `unavailable` where another try may bring one.
 */
export function readContent(answer: VendorAnswer, wanted: 'picture' | 'text'): Made {
  if (answer.status !== 200) throw geminiError(answer)
  const parsed = Answer.safeParse(answer.json)
  if (!parsed.success || Object.values(parsed.data).every(isMissing)) throw errorOfStatus(answer)
  const { error, promptFeedback, candidates, usageMetadata } = parsed.data
  if (!isMissing(error)) throw geminiError(answer)
  const blockReason = promptFeedback?.blockReason
  if (blockReason) throw byPolicy(`the prompt was blocked: ${blockReason}`)
  const candidate = candidates?.[0]
  if (!candidate) throw new ProviderError('unavailable', 'the answer has no candidate')
  const parts = (candidate.content?.parts ?? []).filter(part => part.thought !== true)
  const output = wanted === 'picture' ? pictureOf(parts) : textOf(parts, candidate)
  if (output) return { output, usage: usageOf(usageMetadata) }
  throw nothingMade(candidate)
}

const word = z.string().nullish().catch(null)
const count = z.number().nonnegative().nullish().catch(null)
const Part = z.object({
  text: word,
  /** Drafts and reasoning: no part of the answer. */
  thought: z.unknown().optional(),
  inlineData: z.object({ data: z.string() }).nullish().catch(null),
})
const Candidate = z.object({
  content: z
    .object({ parts: z.array(Part).nullish().catch(null) })
    .nullish()
    .catch(null),
  finishReason: word,
  finishMessage: word,
})
const Answer = z.object({
  candidates: z.array(Candidate).nullish(),
  promptFeedback: z.object({ blockReason: word }).nullish(),
  usageMetadata: z
    .object({ promptTokenCount: count, candidatesTokenCount: count, thoughtsTokenCount: count })
    .nullish()
    .catch(null),
  error: GoogleError.nullish(),
})
type Part = z.infer<typeof Part>
type Candidate = z.infer<typeof Candidate>

const BY_POLICY = [
  'SAFETY',
  'RECITATION',
  'BLOCKLIST',
  'PROHIBITED_CONTENT',
  'SPII',
  'IMAGE_SAFETY',
  'IMAGE_PROHIBITED_CONTENT',
  'IMAGE_RECITATION',
]

/** The last one: those before it are steps on the way. Its declared type is not looked at. */
function pictureOf(parts: Part[]): Output | null {
  const data = parts.findLast(part => part.inlineData)?.inlineData?.data
  if (!data) return null
  const bytes = new Uint8Array(Buffer.from(data, 'base64'))
  return bytes.length === 0 ? null : { type: 'file', bytes, contentType: null }
}

/** A text that was cut off by policy is not half a text but a refusal. */
function textOf(parts: Part[], { finishReason }: Candidate): Output | null {
  if (BY_POLICY.includes(finishReason ?? '')) return null
  const text = parts.map(part => part.text ?? '').join('')
  return text.trim() === '' ? null : { type: 'text', text }
}

function nothingMade({ finishReason, finishMessage }: Candidate): ProviderError {
  const why = [finishReason ?? 'no reason', finishMessage].filter(Boolean).join(': ')
  if (BY_POLICY.includes(finishReason ?? '')) return byPolicy(why)
  if (finishReason === 'LANGUAGE') return new ProviderError('rejected', why, { reason: 'input' })
  return new ProviderError('unavailable', `nothing was made: ${why}`)
}

/** Thoughts are billed as output. */
function usageOf(told: z.infer<typeof Answer>['usageMetadata']): ProviderUsage {
  const input = told?.promptTokenCount ?? null
  const output = told?.candidatesTokenCount ?? null
  return {
    ...(input === null ? {} : { inputTokens: input }),
    ...(output === null ? {} : { outputTokens: output + (told?.thoughtsTokenCount ?? 0) }),
  }
}

function byPolicy(message: string): ProviderError {
  return new ProviderError('rejected', message, { reason: 'content' })
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null
}
