/** What is added up over jobs that have ended. */
export type Sums = {
  jobs: number
  succeeded: number
  failed: number
  cancelled: number
  outputs: number
  /** What the users paid in the end. */
  tokens: number
  costMicroUsd: number
  /** From the request to the end, of all jobs together. */
  durationMs: number
}

/** The columns of a grouped SELECT that make `Sums`. */
export const SUMS = `sum(jobs) AS jobs, sum(succeeded) AS succeeded, sum(failed) AS failed,
  sum(cancelled) AS cancelled, sum(outputs) AS outputs, sum(tokens) AS tokens,
  sum(cost_micro_usd) AS costMicroUsd, sum(duration_ms) AS durationMs`

export function nothing(): Sums {
  return {
    jobs: 0,
    succeeded: 0,
    failed: 0,
    cancelled: 0,
    outputs: 0,
    tokens: 0,
    costMicroUsd: 0,
    durationMs: 0,
  }
}

export function add(to: Sums, more: Sums): void {
  to.jobs += more.jobs
  to.succeeded += more.succeeded
  to.failed += more.failed
  to.cancelled += more.cancelled
  to.outputs += more.outputs
  to.tokens += more.tokens
  to.costMicroUsd += more.costMicroUsd
  to.durationMs += more.durationMs
}

/** Adds under a name. */
export function addUnder<Key>(sums: Map<Key, Sums>, key: Key, more: Sums): void {
  const known = sums.get(key) ?? nothing()
  add(known, more)
  sums.set(key, known)
}
