import type { HubStep } from '@test/support/crash-points'
import type { Call, Held } from './gate'
import type { Offer } from './offers'

/** The columns of the matrix. */
export const PLACES = [
  'before the request',
  'between request and answer',
  'before the first poll',
  'outputs known',
] as const
export type Place = (typeof PLACES)[number]

/** One moment at which the process dies, and what must be on disk and at the vendor by then. */
export type Moment = {
  name: string
  /** It dies by itself at a step of its own, or is killed while an answer is kept back. */
  by: { step: HubStep } | { call: Call; how: Held }
  /** The state of the attempt, or that there is none yet. */
  met: 'none' | 'starting' | 'waiting' | 'produced'
  starts: 0 | 1
}

/** What there is to meet in one cell. A start that is the outputs at once has no poll: it is met in our hands. */
export function momentsOf({ brings }: Offer, place: Place): Moment[] {
  switch (place) {
    case 'before the request':
      return [
        {
          name: 'the intent is on disk',
          by: { step: 'claim: after COMMIT, before the vendor is called' },
          met: 'starting',
          starts: 0,
        },
        {
          name: 'the intent is not yet on disk',
          by: { step: 'claim: before COMMIT' },
          met: 'none',
          starts: 0,
        },
      ]
    case 'between request and answer':
      return keptBack('start', 'starting')
    case 'before the first poll':
      if (brings === 'at once') return [inHand('settle: before BEGIN')]
      return [
        {
          name: 'the operation is stored',
          by: { step: 'save: after COMMIT' },
          met: 'waiting',
          starts: 1,
        },
        ...keptBack('poll', 'waiting'),
      ]
    case 'outputs known':
      if (brings === 'at once') return [inHand('settle: before COMMIT')]
      return keptBack('output', brings === 'addresses' ? 'produced' : 'waiting')
  }
}

function keptBack(call: Call, met: Moment['met']): Moment[] {
  return (['silent', 'half'] as const).map(how => ({
    name: how === 'silent' ? `nothing of the ${call}'s answer` : `half of the ${call}'s answer`,
    by: { call, how },
    met,
    starts: 1,
  }))
}

function inHand(step: HubStep): Moment {
  return { name: `the answer is in hand, ${step}`, by: { step }, met: 'starting', starts: 1 }
}

/** The one thing that only time can tell: a start of which nobody knows whether it arrived. */
export function isOnlyTimeToTell({ canBeFound }: Offer, { met, starts }: Moment): boolean {
  return met === 'starting' && !(canBeFound && starts === 1)
}
