import { z } from 'zod'
import { DAY, isoSeconds } from '@/base/clock'
import { type DeliveryId, type EndpointId, formatId, type JobId, type RealmId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps, Mode } from '@/deps'
import type { Event } from '@/domain/events'
import { describe } from '@/domain/files'
import type { EndedJob } from '@/domain/jobs'
import { enqueue } from '@/queue/enqueue'
import { finish } from '@/queue/finish'
import type { Claim } from '@/queue/task'

const endpoints = query<{ realmId: number }, { id: EndpointId; url: string }>(
  'SELECT id, url FROM webhook_endpoints WHERE realm_id = $realmId AND is_enabled = 1 ORDER BY id',
)
const insert = command<{
  id: number
  realmId: number
  eventId: number
  jobId: number
  endpointId: number | null
  url: string
  body: string
  now: number
}>(
  `INSERT INTO webhook_deliveries (id, realm_id, event_id, job_id, endpoint_id, url, body, state, created_at)
   VALUES ($id, $realmId, $eventId, $jobId, $endpointId, $url, $body, 'pending', $now)`,
)

/** The tries go on for 28 hours, and whoever reads the last one still wants a picture behind the link. */
const LINK_MS = 3 * DAY

const personOf = query<{ jobId: number }, { mode: Mode; externalId: string | null }>(
  `SELECT (SELECT mode FROM realms WHERE id = j.realm_id) AS mode,
     (SELECT external_id FROM users WHERE id = j.user_id) AS externalId
   FROM jobs j WHERE j.id = $jobId`,
)

/** One delivery row for each listener: the job's own address, else the realm's endpoints. */
export async function fanOut(
  deps: Deps,
  claim: Claim,
  event: Event,
  /** Read in the write: between two of them a person may be erased. */
  findEnded: (tx: Tx, realmId: RealmId, jobId: JobId) => EndedJob | null,
): Promise<void> {
  const { realmId, jobId } = event
  await write(deps.db, tx => {
    if (realmId !== 0 && jobId !== null) {
      const about = { eventId: event.id, realmId, jobId }
      if (event.type === 'tokens.low') spreadLowBalance(tx, event, about)
      else spreadEnd(tx, deps, event, about, findEnded(tx, realmId, jobId))
    }
    finish(tx, claim)
  })
}

type About = { eventId: Event['id']; realmId: RealmId; jobId: JobId }

function spreadEnd(tx: Tx, deps: Deps, event: Event, about: About, job: EndedJob | null) {
  if (!job) return
  const body = bodyOf(deps, event, job)
  if (job.webhookUrl) send(tx, about, { id: null, url: job.webhookUrl }, body)
  else for (const one of endpoints.all(tx, { realmId: about.realmId })) send(tx, about, one, body)
}

const LowBalance = z.object({ balance: z.int(), threshold: z.int() })

function spreadLowBalance(tx: Tx, event: Event, about: About) {
  const person = personOf.get(tx, { jobId: about.jobId })
  // Erased meanwhile: there is nobody left to be told of.
  if (person?.externalId == null) return
  const { balance, threshold } = LowBalance.parse(JSON.parse(event.data ?? '{}'))
  const body = {
    id: formatId('event', event.id),
    event: event.type,
    mode: person.mode,
    created_at: isoSeconds(event.createdAt),
    user_id: person.externalId,
    balance,
    threshold,
  }
  for (const one of endpoints.all(tx, { realmId: about.realmId })) send(tx, about, one, body)
}

function send(
  tx: Tx,
  about: About,
  listener: { id: EndpointId | null; url: string },
  body: Record<string, unknown>,
) {
  const id = tx.id<DeliveryId>()
  insert.run(tx, {
    id,
    ...about,
    endpointId: listener.id,
    url: listener.url,
    body: JSON.stringify(body),
    now: tx.now,
  })
  enqueue(tx, {
    kind: 'webhook.deliver',
    pool: 'deliveries',
    lane: about.realmId,
    payload: { delivery_id: id },
  })
}

/** CONTRACT section 6. Stored as it is sent, so that every try carries the same bytes. */
function bodyOf(deps: Deps, event: Event, job: EndedJob): Record<string, unknown> {
  return {
    id: formatId('event', event.id),
    event: event.type,
    mode: job.mode,
    created_at: isoSeconds(event.createdAt),
    job_id: formatId('job', job.id),
    status: job.status,
    model: job.modelName,
    user_id: job.externalId,
    outputs: job.outputs.map(output => describe(deps, deps.ownUrl(), output, LINK_MS)),
    tokens_charged: job.tokensCharged,
    tokens_refunded: job.tokensRefunded,
    metadata: job.metadata,
    completed_at: job.completedAt === null ? null : isoSeconds(job.completedAt),
    ...(event.type === 'job.completed'
      ? {}
      : { error: job.error, error_code: job.errorCode, retryable: job.isRetryable }),
  }
}
