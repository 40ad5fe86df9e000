import type { ModelId } from '@/base/ids'
import type { Db } from '@/db/open'

/** Before a model has been used: what pictures commonly take. */
const UNKNOWN_MS = 5_000
/** One slow job moves the expectation by a fifth. */
const WEIGHT = 0.2

const averages = new WeakMap<Db, Map<ModelId, number>>()

/** The running average from submit to end of this model, since the start of the process. */
export function typicalMs(db: Db, modelId: ModelId): number {
  return averages.get(db)?.get(modelId) ?? UNKNOWN_MS
}

export function noteDuration(db: Db, modelId: ModelId, ms: number): void {
  let known = averages.get(db)
  if (!known) {
    known = new Map()
    averages.set(db, known)
  }
  const before = known.get(modelId)
  known.set(modelId, before === undefined ? ms : before + (ms - before) * WEIGHT)
}
