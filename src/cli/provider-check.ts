import type { Checked } from '@/domain/providers'

export function presentCheck(check: Checked) {
  return {
    name: check.name,
    outcome: check.outcome,
    duration_ms: wasAsked(check) ? check.durationMs : null,
    /** Null: the provider was changed while it was checked. */
    health: check.health,
    message: check.message,
  }
}

export function unknownProvider(name: string): Error {
  return new Error(`there is no provider ${name}; \`hub providers list\` shows what there is`)
}

function wasAsked({ outcome }: Checked): boolean {
  return !['no_key', 'unreadable_key', 'no_adapter', 'no_check'].includes(outcome)
}
