import { DAY, isoSeconds } from '@/base/clock'
import { type DeliveryId, type EndpointId, formatId } from '@/base/ids'
import { command, query } from '@/db/statements'
import { type Tx, write } from '@/db/write'
import type { Deps } from '@/deps'
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

/** One delivery row for each listener: the job's own address, else the realm's endpoints. */
export async function fanOut(
  deps: Deps,
  claim: Claim,
  event: Event,
  /** Read in the write: between two of them a person may be erased. */
  findEnded: (tx: Tx) => EndedJob | null,
): Promise<void> {
  const { realmId } = event
  await write(deps.db, tx => {
    const job = findEnded(tx)
    if (!job) return finish(tx, claim)
    const body = JSON.stringify(bodyOf(deps, event, job))
    const listeners = job.webhookUrl
      ? [{ id: null, url: job.webhookUrl }]
      : endpoints.all(tx, { realmId })
    for (const { id: endpointId, url } of listeners) {
      const id = tx.id<DeliveryId>()
      insert.run(tx, {
        id,
        realmId,
        eventId: event.id,
        jobId: job.id,
        endpointId,
        url,
        body,
        now: tx.now,
      })
      enqueue(tx, {
        kind: 'webhook.deliver',
        pool: 'deliveries',
        lane: realmId,
        payload: { delivery_id: id },
      })
    }
    finish(tx, claim)
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
