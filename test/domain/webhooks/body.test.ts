import { afterEach, describe, expect, test } from 'bun:test'
import {
  closeStages,
  MODEL,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  TEXT_MODEL,
  USER,
  viewOf,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  fails,
  pendingForEver,
  picture,
  VENDOR_TEXT,
} from '@test/support/fake-provider'
import { HOUR, isoSeconds, SECOND } from '@/base/clock'
import { formatId, type JobId } from '@/base/ids'
import { openLink } from '@/domain/files'
import { cancel } from '@/domain/jobs'

afterEach(closeStages)

type Body = Record<string, unknown> & { outputs: { url: string | null }[] }

function bodyOf(on: Stage, url = WEBHOOK_URL): Body {
  const [call] = on.web.to(url)
  return JSON.parse(String(call?.init.body))
}

const eventId = (on: Stage) => {
  const [event] = rows<{ id: number }>(on, 'SELECT id FROM events')
  return formatId('event', event?.id ?? 0)
}

describe('what an app is told', () => {
  test('of a job that succeeded', async () => {
    const on = await stage({ hub: { config: { publicUrl: 'https://hub.example.com' } } })
    on.provider.script(done(bytes(picture())))
    const startedAt = isoSeconds(on.clock.now())
    const metadata = { screen: 'editor', name: 'Zoë' }
    const id = await submit(on, { input: { num_outputs: 2 }, metadata })
    await run(on)
    const [output] = viewOf(on, id).outputs
    const fileId = formatId('file', output?.fileId ?? 0)
    const body = bodyOf(on)
    expect<unknown>(body).toEqual({
      id: eventId(on),
      event: 'job.completed',
      mode: 'live',
      created_at: startedAt,
      job_id: formatId('job', id),
      status: 'succeeded',
      model: MODEL,
      user_id: USER,
      outputs: [
        {
          index: 0,
          url: expect.stringMatching(
            new RegExp(
              `^https://hub\\.example\\.com/files/${fileId}\\.png\\?exp=\\d+&sig=[\\w-]+$`,
            ),
          ),
          url_expires_at: '2026-01-19T00:00:00Z',
          expires_at: null,
          file_id: fileId,
          text: null,
          content_type: 'image/png',
          width: 1,
          height: 1,
          duration_seconds: null,
          bytes: picture().length,
        },
      ],
      tokens_charged: 6,
      tokens_refunded: 3,
      metadata,
      completed_at: startedAt,
    })
  })

  test('of a text: the text itself and no link', async () => {
    const on = await stage()
    on.provider.script(done({ type: 'text', text: 'a caption' }))
    await submit(on, { model: TEXT_MODEL })
    await run(on)
    expect(bodyOf(on).outputs).toEqual([
      {
        index: 0,
        url: null,
        url_expires_at: null,
        expires_at: null,
        file_id: null,
        text: 'a caption',
        content_type: 'text/plain',
        width: null,
        height: null,
        duration_seconds: null,
        bytes: null,
      } as never,
    ])
  })

  test('of a job that failed: our words and never the vendor’s', async () => {
    const on = await stage()
    on.provider.script(fails('rejected', { reason: 'content' }))
    const id = await submit(on)
    await run(on)
    const now = isoSeconds(on.clock.now())
    expect(bodyOf(on)).toEqual({
      id: eventId(on),
      event: 'job.failed',
      mode: 'live',
      created_at: now,
      job_id: formatId('job', id),
      status: 'failed',
      model: MODEL,
      user_id: USER,
      outputs: [],
      tokens_charged: 3,
      tokens_refunded: 3,
      metadata: {},
      completed_at: now,
      error: 'The provider refused this content. Change the prompt or the pictures.',
      error_code: 'content_rejected',
      retryable: false,
    })
    expect(JSON.stringify(on.web.calls)).not.toContain(VENDOR_TEXT)
  })

  test('of a job that was cancelled', async () => {
    const on = await stage()
    on.provider.script(pendingForEver())
    const id = await submit(on)
    await run(on)
    on.clock.advance(SECOND)
    await cancelJob(on, id)
    await runOut(on)
    expect(bodyOf(on)).toMatchObject({
      event: 'job.cancelled',
      status: 'cancelled',
      outputs: [],
      tokens_charged: 3,
      tokens_refunded: 3,
      error: null,
      error_code: null,
      retryable: null,
      completed_at: '2026-01-15T10:30:01Z',
    })
  })

  test('of a test job, in its own mode', async () => {
    const on = await stage()
    const realm = on.app.realms.test
    const input = { provider_params: { sandbox: { canned: true } } }
    await submit(on, { realm, input })
    await run(on)
    expect(bodyOf(on)).toMatchObject({ mode: 'test', event: 'job.completed', status: 'succeeded' })
  })

  test('links that open for three days and more, longer than the tries go on', async () => {
    const on = await stage()
    await submit(on)
    await run(on)
    const url = new URL(bodyOf(on).outputs[0]?.url ?? '')
    const link = {
      name: url.pathname.replace('/files/', ''),
      expiry: url.searchParams.get('exp') ?? '',
      signature: url.searchParams.get('sig') ?? '',
    }
    on.clock.advance(72 * HOUR)
    const blob = await openLink(on.deps, link).read()
    expect(new Uint8Array(await blob.arrayBuffer())).toEqual(picture())
    on.clock.advance(24 * HOUR)
    expect(() => openLink(on.deps, link)).toThrow()
  })
})

async function cancelJob(on: Stage, id: JobId) {
  const scope = { realmId: on.realm.id, userId: null }
  await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, id, null)
}
