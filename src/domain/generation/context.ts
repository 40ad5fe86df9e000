import { SECOND } from '@/base/clock'
import { formatId } from '@/base/ids'
import { invariant } from '@/base/invariant'
import type { Deps } from '@/deps'
import type { CheckedInput } from '@/domain/catalog'
import type { ActiveJob } from '@/domain/jobs'
import { keyOf, webhookSecretOf } from '@/domain/providers'
import { routeConfig } from '@/domain/routing'
import type { Provider, ProviderContext, ProviderInput } from '@/providers/spec'
import type { Attempt } from './attempts'
import { callbackToken } from './callback-token'

export function providerOf(deps: Deps, attempt: Attempt): Provider {
  const provider = deps.providers.get(attempt.provider)
  invariant(provider, `provider ${attempt.provider} of an attempt is registered`)
  return provider
}

/** Enough for one answer: the last question about an attempt is asked at its deadline. */
const LAST_ANSWER_MS = 5 * SECOND

/** Ends with the attempt's time too: whoever has not answered by then need not answer any more. */
export function untilDeadline(deps: Deps, attempt: Attempt, signal: AbortSignal): AbortSignal {
  const leftMs = Math.max(attempt.deadlineAt - deps.clock.now(), LAST_ANSWER_MS)
  return AbortSignal.any([signal, AbortSignal.timeout(leftMs)])
}

export function contextOf(
  deps: Deps,
  attempt: Attempt,
  job: Pick<ActiveJob, 'mode'>,
  signal: AbortSignal,
): ProviderContext {
  const { publicUrl } = deps.config
  const reference = formatId('attempt', attempt.id)
  // Vendors refuse plain http, and a token in a plain address is no secret.
  const isReachable = publicUrl?.startsWith('https://') && job.mode === 'live'
  return {
    // A cancelled task ends the call that it waits for.
    fetch: (url, init) => deps.fetch(url, { signal, ...init }),
    apiKey: keyOf(deps, attempt.provider),
    webhookSecret: webhookSecretOf(deps, attempt.provider),
    signal,
    reference,
    attemptNumber: attempt.number,
    callbackUrl: isReachable
      ? `${publicUrl}/callbacks/${attempt.provider}/${reference}/${callbackToken(deps, attempt.id)}`
      : null,
    nowMs: deps.clock.now(),
    deadlineMs: attempt.deadlineAt,
  }
}

export function inputOf(deps: Deps, attempt: Attempt, job: ActiveJob): ProviderInput {
  // Written by submit from a checked value, and by nobody else.
  const input = JSON.parse(job.input) as CheckedInput
  return {
    providerModel: attempt.providerModel,
    kind: job.kind,
    prompt: input.prompt,
    images: input.images,
    aspectRatio: input.aspectRatio,
    numOutputs: input.numOutputs,
    outputFormat: input.outputFormat,
    extra: input.extra,
    params: input.providerParams[attempt.provider] ?? {},
    config: routeConfig(deps.db, job.modelId, attempt.provider),
  }
}
