import type { ProviderUsage } from '../spec'
import type { SandboxJob } from './job'

/** A sentence that depends on the prompt, the seed and the index, and on nothing else. */
export function writeAnswer({ prompt, seed }: SandboxJob, index: number): string {
  const words = prompt.split(/\s+/).filter(word => word !== '')
  const opening = [...words.slice(0, QUOTED_WORDS).join(' ')].slice(0, QUOTED_CHARACTERS).join('')
  const turn = Math.abs(seed + index) % SENTENCES.length
  const sentence = SENTENCES[turn] ?? SENTENCES[0]
  const echo = `You wrote ${words.length} words, beginning with "${opening}".`
  return `${sentence} ${echo} (seed ${seed}, answer ${index + 1})`
}

/** Counted as vendors roughly do, so that an app's display of usage has something to show. */
export function usageOf(prompt: string, answers: string[]): ProviderUsage {
  const tokens = (text: string) => Math.max(Math.ceil(text.length / CHARACTERS_A_TOKEN), 1)
  return {
    inputTokens: tokens(prompt),
    outputTokens: answers.reduce((sum, answer) => sum + tokens(answer), 0),
    costMicroUsd: 0,
  }
}

const CHARACTERS_A_TOKEN = 4
const QUOTED_WORDS = 8
const QUOTED_CHARACTERS = 80
const SENTENCES = [
  'This is the sandbox, and it has thought about it.',
  'The sandbox answers, and no model was troubled.',
  'A calm reply from the sandbox.',
  'The sandbox read every word of it.',
] as const
