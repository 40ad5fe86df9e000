import { AppError } from '@/base/errors'
import type { JobId } from '@/base/ids'
import type { Db } from '@/db/open'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps, Realm } from '@/deps'
import {
  type CheckedInput,
  checkInput,
  findModel,
  type Model,
  secondsAsked,
} from '@/domain/catalog'
import { hold } from '@/domain/ledger'
import { BudgetUsedUp, noteLowBalance, noteRefusal, take, writeTaken } from '@/domain/limits'
import { type Entitlement, entitlementFor } from '@/domain/plans'
import { type Quote, quote } from '@/domain/pricing'
import { canServe, worstCostOf } from '@/domain/routing'
import { countJob, ensure, findByExternalId, type User } from '@/domain/users'
import { enqueue } from '@/queue/enqueue'
import { countActive } from './active'
import { type Job, type JobView, rawJob, viewOf, waitMs } from './find'

/** A request to generate, already of the right shape; `input` is checked here, by its model. */
export type Submission = {
  realm: Realm
  externalId: string
  /** False for a user whom nobody vouches for. */
  mayHaveWelcomeGrant: boolean
  model: string
  input: unknown
  /** Null: as the user's plan says, else the usual one. */
  priority: number | null
  webhookUrl: string | null
  metadata: Record<string, string>
  idempotency: { key: string; hash: string } | null
}

export type Submitted = {
  job: JobView
  /** What the user can spend now. */
  userBalance: number
  estimatedWaitSeconds: number
  isReplay: boolean
}

/** Where neither the request nor the plan says. */
const USUAL_PRIORITY = 10

/** What a job's hold pays for. */
export const PURPOSE = 'generate'

const findKept = query<{ userId: number; key: string }, { id: JobId; requestHash: string | null }>(
  'SELECT id, request_hash AS requestHash FROM jobs WHERE user_id = $userId AND idempotency_key = $key',
)
const insert = command<{
  id: number
  realmId: number
  userId: number
  kind: string
  modelId: number
  modelName: string
  priority: number
  numOutputs: number
  quote: string
  tokens: number
  webhookUrl: string | null
  metadata: string
  key: string | null
  hash: string | null
  taken: string | null
  now: number
}>(
  `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs, quote,
     tokens_charged, webhook_url, metadata, idempotency_key, request_hash, taken, created_at)
   VALUES ($id, $realmId, $userId, $kind, $modelId, $modelName, 'queued', $priority, $numOutputs, $quote,
     $tokens, $webhookUrl, $metadata, $key, $hash, $taken, $now)`,
)
const insertInput = command<{ jobId: number; input: string }>(
  'INSERT INTO job_inputs (job_id, input) VALUES ($jobId, $input)',
)

/**
 * Accepts a job: the record, its hold and its task, all or nothing. Throws what the caller must hear:
 * 404 `model_not_found`, 400 for the input, 402, 403 `user_deactivated`, what the limits throw, 422 for a
 * reused key, and 503 when nobody could serve it (nothing is held then).
 */
export async function submit(deps: Deps, request: Submission): Promise<Submitted> {
  // A repeated request gets its job even when the model or its providers have gone since.
  const early = request.idempotency ? replay(deps, deps.db, request) : null
  if (early) return early

  const model = findModel(deps, request.model)
  if (!model) throw new AppError('model_not_found')
  const input = checkInput(deps, model, request.realm.mode, request.input)
  const price = quote(deps, { realm: request.realm, model, input })
  const { mode } = request.realm
  if (!canServe(deps, { mode, modelId: model.id })) {
    throw new AppError('no_provider_available')
  }

  const made = await write(deps.db, tx => accept(tx, deps, request, model, input, price)).catch(
    async error => {
      if (error instanceof BudgetUsedUp) await noteRefusal(deps, error)
      throw error
    },
  )
  if ('isReplay' in made) return made
  return answer(deps, made.job, made.balance, false)
}

function accept(
  tx: Tx,
  deps: Deps,
  request: Submission,
  model: Model,
  input: CheckedInput,
  price: Quote,
): Submitted | { job: Job; balance: number } {
  const { realm } = request
  const { user } = ensure(tx, deps.secrets, {
    realm,
    externalId: request.externalId,
    mayHaveWelcomeGrant: request.mayHaveWelcomeGrant,
  })
  const kept = request.idempotency ? replayFor(deps, tx, request, user) : null
  if (kept) return kept
  if (!user.isActive) throw new AppError('user_deactivated')

  const plan = entitlementFor(tx, deps, realm, user.id)
  let worst: number | null = null
  const taken = take(tx, deps, {
    realm,
    userId: user.id,
    entitlement: plan,
    model,
    tokens: price.tokens,
    worstMicroUsd: () => {
      const asked = { outputs: input.numOutputs, seconds: secondsAsked(input) }
      worst ??= worstCostOf(deps, model.id, asked)
      return worst
    },
    activeUpTo: most => countActive(tx, user.id, most),
  })
  const job = newJob(tx, request, model, input, price, user, plan)
  insert.run(tx, {
    id: job.id,
    realmId: realm.id,
    userId: user.id,
    kind: model.kind,
    modelId: model.id,
    modelName: model.name,
    priority: job.priority,
    numOutputs: input.numOutputs,
    quote: JSON.stringify(price),
    tokens: price.tokens,
    webhookUrl: job.webhookUrl,
    metadata: job.metadata,
    key: request.idempotency?.key ?? null,
    hash: request.idempotency?.hash ?? null,
    taken: writeTaken(taken),
    now: tx.now,
  })
  insertInput.run(tx, { jobId: job.id, input: JSON.stringify(input) })
  const balance = hold(tx, {
    realmId: realm.id,
    userId: user.id,
    jobId: job.id,
    purpose: PURPOSE,
    amount: price.tokens,
    description: model.name,
  })
  noteLowBalance(tx, realm, { jobId: job.id, tokens: price.tokens, balanceAfter: balance })
  countJob(tx, user.id)
  enqueue(tx, {
    // The job lends its id, so that cancelling needs no index to find the task.
    id: job.id,
    kind: 'job.execute',
    pool: 'jobs',
    lane: realm.id,
    priority: job.priority,
    payload: {},
  })
  return { job, balance }
}

function newJob(
  tx: Tx,
  request: Submission,
  model: Model,
  input: CheckedInput,
  price: Quote,
  user: User,
  plan: Entitlement | null,
): Job {
  return {
    id: tx.id<JobId>(),
    realmId: request.realm.id,
    mode: request.realm.mode,
    userId: user.id,
    externalId: user.externalId,
    kind: model.kind,
    modelId: model.id,
    modelName: model.name,
    status: 'queued',
    priority: request.priority ?? plan?.priority ?? USUAL_PRIORITY,
    numOutputs: input.numOutputs,
    tokensCharged: price.tokens,
    tokensRefunded: 0,
    providerUsed: null,
    attempts: 0,
    errorCode: null,
    metadata: JSON.stringify(request.metadata),
    webhookUrl: request.webhookUrl,
    createdAt: tx.now,
    startedAt: null,
    completedAt: null,
  }
}

function replay(deps: Deps, from: Db, request: Submission): Submitted | null {
  const user = findByExternalId(from, request.realm.id, request.externalId)
  return user ? replayFor(deps, from, request, user) : null
}

/** The job that this key made before, as it is now. Throws 422 when the body was another. */
function replayFor(deps: Deps, from: Db | Tx, request: Submission, user: User): Submitted | null {
  if (!request.idempotency) return null
  const kept = findKept.get(from, { userId: user.id, key: request.idempotency.key })
  if (!kept) return null
  if (kept.requestHash !== request.idempotency.hash) throw new AppError('idempotency_mismatch')
  const job = rawJob(from, { realmId: request.realm.id, userId: user.id }, kept.id)
  return job ? answer(deps, job, user.balance, true) : null
}

function answer(deps: Deps, job: Job, userBalance: number, isReplay: boolean): Submitted {
  const view = viewOf(deps, job)
  const left = job.completedAt === null ? waitMs(deps, job.modelId, view.queuePosition) : 0
  return { job: view, userBalance, estimatedWaitSeconds: Math.ceil(left / 1_000), isReplay }
}
