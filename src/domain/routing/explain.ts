import { isoSeconds } from '@/base/clock'
import type { Considered, Decision } from './decision'

/**
 * The decision as a sentence for the record: "chose fal: replicate resting until 12:03:20". Only those
 * that would have come first are named; who came after the chosen one needs no reason.
 */
export function sentenceOf({ strategy, considered }: Decision): string {
  const at = considered.findIndex(({ verdict }) => verdict === 'chosen')
  const chosen = considered[at]
  if (!chosen) return `nobody can serve it now: ${considered.map(standing).join(', ')}`
  const passed = considered.slice(0, at)
  const down = considered.slice(at + 1).filter(({ isDown }) => isDown && !chosen.isDown)
  if (passed.length === 0 && down.length > 0) {
    return `chose ${chosen.provider}: ${down.map(({ provider }) => `${provider} is down`).join(', ')}`
  }
  if (passed.length > 0) return `chose ${chosen.provider}: ${passed.map(standing).join(', ')}`
  return considered.length === 1
    ? `chose ${chosen.provider}: the only route`
    : `chose ${chosen.provider}: first by ${strategy}`
}

function standing({ provider, verdict, until }: Considered): string {
  const time = until === null ? '' : ` until ${isoSeconds(until).slice(11, 19)}`
  switch (verdict) {
    case 'resting':
      return `${provider} resting${time}`
    case 'probing':
      return `${provider} is being probed${time}`
    case 'full':
      return `${provider} full`
    case 'tried':
      return `${provider} tried a moment ago${time}`
    case 'refused':
      return `${provider} refused it for good`
    default:
      return `${provider} had its try`
  }
}
