/**
 * Exponential backoff with full jitter in the upper half, so that many failures of one moment spread out.
 * `random` is 0 to 1 and comes from the caller: a write that runs twice must not draw twice.
 */
export function backoffMs(
  failures: number,
  random: number,
  options: { firstMs: number; capMs: number },
): number {
  const doublings = Math.min(Math.max(failures - 1, 0), 30)
  const ceiling = Math.min(options.firstMs * 2 ** doublings, options.capMs)
  return Math.round(ceiling * (0.5 + random / 2))
}

/** `ms` moved by up to ± `share` of itself. */
export function jitter(ms: number, random: number, share: number): number {
  return Math.round(ms * (1 + (random * 2 - 1) * share))
}
