import type { PlanFields } from './find'

/** What a plan is where nothing is said: monthly, without tokens and without limits. */
export const BLANK: Omit<PlanFields, 'displayName'> = {
  tokensPerPeriod: 0,
  period: 'month',
  isRollover: false,
  maxConcurrent: null,
  jobsPerDay: null,
  tokensPerDay: null,
  tokensPerMonth: null,
  microUsdPerDay: null,
  microUsdPerMonth: null,
  models: null,
  kinds: null,
  strategy: null,
  priority: null,
  hasWatermark: false,
  maxUploadBytes: null,
  isEnabled: true,
}

/** What most apps sell in the end: an app copies one, and what it copied is its own from then on. */
export const TEMPLATES: Readonly<Record<string, PlanFields>> = {
  free: template({
    displayName: 'Free',
    tokensPerPeriod: 0,
    jobsPerDay: 5,
    maxConcurrent: 1,
    strategy: 'cheapest',
    hasWatermark: true,
  }),
  basic: template({ displayName: 'Basic', tokensPerPeriod: 500, maxConcurrent: 1 }),
  pro: template({ displayName: 'Pro', tokensPerPeriod: 2_000, maxConcurrent: 3 }),
  enterprise: template({
    displayName: 'Enterprise',
    tokensPerPeriod: 10_000,
    maxConcurrent: 10,
    strategy: 'best',
  }),
}

function template(fields: Partial<PlanFields> & Pick<PlanFields, 'displayName'>): PlanFields {
  return { ...BLANK, ...fields }
}
