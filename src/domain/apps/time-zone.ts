/**
 * The zone as this system spells it; null when there is none of the name. An offset such as `+02:00` would
 * pass for one, but knows no summer time.
 */
export function timeZoneOf(name: string): string | null {
  if (!/^[A-Za-z][A-Za-z0-9_+/-]*$/.test(name)) return null
  try {
    return new Intl.DateTimeFormat('en-US', { timeZone: name }).resolvedOptions().timeZone
  } catch {
    return null
  }
}
