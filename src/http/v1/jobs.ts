import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError, invalidInput } from '@/base/errors'
import { formatId, requireId } from '@/base/ids'
import { explain } from '@/domain/generation'
import * as jobs from '@/domain/jobs'
import { JOB_STATUSES, type JobStatus } from '@/domain/jobs'
import { actorOf, scopeOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders, scopeOfKey } from '../idempotency'
import { operation } from '../operation'
import { beforeOf } from '../page'
import { pollHeaders, presentAttempt, presentJob } from '../present'
import { ExternalId, IdempotencyKey, JobBody, listOf, PageQuery } from '../schemas'

export const GET_JOB = operation({
  method: 'GET',
  path: '/api/v1/jobs/:id',
  id: 'getJob',
  summary: 'Get a job',
  tag: 'Jobs',
  access: { keys: 'any', user: 'optional', counts: 'read-one-job' },
  // Not strict: apps call this with parameters of their own making since before there was any.
  query: z.object({
    explain: z.enum(['1', 'true', '0', 'false']).optional().meta({
      description: 'Adds `routing`: which providers were tried, and why. Secret keys only.',
    }),
  }),
  answers: { 200: { description: 'The job as it is now, with live links.', schema: JobBody } },
  errors: ['forbidden', 'not_found'],
})

export const LIST_JOBS = operation({
  method: 'GET',
  path: '/api/v1/jobs',
  id: 'listJobs',
  summary: 'List jobs',
  description: 'Newest first. A filtered page may be short and still have a next one.',
  tag: 'Jobs',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  query: z.strictObject({
    ...PageQuery,
    status: z.string().optional().meta({
      description: 'One or more of queued, running, succeeded, failed, cancelled, with commas.',
    }),
    model: z.string().min(1).max(100).optional(),
    user_id: ExternalId.optional(),
  }),
  answers: { 200: { description: 'A page of jobs.', schema: listOf(JobBody, 'JobList') } },
})

const CANCEL_BODY = z
  .strictObject({ idempotency_key: IdempotencyKey.optional() })
  .meta({ id: 'CancelRequest' })

export const CANCEL_JOB = operation({
  method: 'POST',
  path: '/api/v1/jobs/:id/cancel',
  id: 'cancelJob',
  summary: 'Cancel a job',
  tag: 'Jobs',
  access: { keys: 'any', user: 'optional', counts: 'change' },
  body: CANCEL_BODY,
  isBodyOptional: true,
  isIdempotent: true,
  answers: { 200: { description: 'Cancelled; the tokens went back.', schema: JobBody } },
  errors: ['not_found', 'job_not_cancellable'],
})

export const DELETE_JOB = operation({
  method: 'DELETE',
  path: '/api/v1/jobs/:id',
  id: 'deleteJob',
  summary: 'Cancel a job (the same as cancelJob)',
  tag: 'Jobs',
  access: { keys: 'any', user: 'optional', counts: 'change' },
  answers: { 200: { description: 'Cancelled; the tokens went back.', schema: JobBody } },
  errors: ['not_found', 'job_not_cancellable'],
})

export const jobRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.jobs' })
    .get(
      GET_JOB.path,
      guarded(http, GET_JOB, call => get(http, call)),
      { detail: { hide: true } },
    )
    .get(
      LIST_JOBS.path,
      guarded(http, LIST_JOBS, call => list(http, call)),
      { detail: { hide: true } },
    )
    .post(
      CANCEL_JOB.path,
      guarded(http, CANCEL_JOB, call => cancel(http, call, call.body)),
      { parse: 'none', detail: { hide: true } },
    )
    .delete(
      DELETE_JOB.path,
      guarded(http, DELETE_JOB, call => cancel(http, call, null)),
      { parse: 'none', detail: { hide: true } },
    )

function get({ deps }: HttpDeps, { caller, params, query, baseUrl }: Call<typeof GET_JOB>) {
  const isExplained = query.explain === '1' || query.explain === 'true'
  if (isExplained && caller.key.kind !== 'secret') {
    throw new AppError('forbidden', { detail: { required_scope: 'secret' } })
  }
  const scope = scopeOf(deps, caller)
  const id = requireId('job', params.id ?? '')
  const job = scope ? jobs.findJob(deps, scope, id) : null
  if (!scope || !job) throw new AppError('not_found')
  const shown = presentJob(deps, baseUrl, job)
  const attempts = isExplained ? explain(deps, scope, id) : null
  return {
    status: 200,
    body: attempts ? { ...shown, routing: attempts.map(presentAttempt) } : shown,
    headers: pollHeaders(job),
  }
}

function list({ deps }: HttpDeps, call: Call<typeof LIST_JOBS>) {
  const { caller, query } = call
  const isElsewhere =
    caller.user && query.user_id !== undefined && query.user_id !== caller.user.externalId
  const user =
    caller.user ??
    (query.user_id === undefined ? null : { externalId: query.user_id, proof: 'asserted' as const })
  const scope = isElsewhere ? null : scopeOf(deps, { ...caller, user })
  const before = beforeOf('job', query.cursor)
  const filter = { statuses: statusesOf(query.status), model: query.model ?? null }
  const page = scope
    ? jobs.listJobs(deps, scope, filter, { before, limit: query.limit })
    : { jobs: [], next: null }
  return {
    status: 200,
    body: {
      data: page.jobs.map(job => presentJob(deps, call.baseUrl, job)),
      has_more: page.next !== null,
      next_cursor: page.next === null ? null : formatId('job', page.next),
    },
  }
}

function statusesOf(text: string | undefined): JobStatus[] {
  if (text === undefined) return []
  const words = [...new Set(text.split(','))]
  const known = words.filter((word): word is JobStatus =>
    JOB_STATUSES.some(status => status === word),
  )
  if (known.length !== words.length) {
    throw invalidInput('status', `must be one or more of ${JOB_STATUSES.join(', ')}, with commas`)
  }
  return known
}

async function cancel(
  { deps }: HttpDeps,
  call: Call<typeof CANCEL_JOB> | Call<typeof DELETE_JOB>,
  body: z.output<typeof CANCEL_BODY> | null,
) {
  const { caller } = call
  const scope = scopeOf(deps, caller)
  const id = requireId('job', call.params.id ?? '')
  if (!scope) throw new AppError('not_found')
  const given = body ? idempotencyOf(call.request, body) : null
  const once = scopeOfKey(given, {
    realmId: caller.realm.id,
    userId: scope.userId,
    operation: `cancel ${id}`,
  })
  const { job, isReplay } = await jobs.cancel(deps, actorOf(caller, call), scope, id, once)
  return {
    status: 200,
    body: presentJob(deps, call.baseUrl, job),
    headers: replayHeaders(isReplay),
  }
}
