import { afterEach, describe, expect, test } from 'bun:test'
import {
  closeStages,
  eventTypes,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import { testApp } from '@test/support/test-hub'
import { Superseded } from '@/base/errors'
import { write } from '@/db/write'
import { find } from '@/domain/events'
import { cancel, findEnded } from '@/domain/jobs'
import { fanOut } from '@/domain/webhooks'
import { claim } from '@/queue/claim'

afterEach(closeStages)

const OWN_URL = 'https://app.example.com/only-this-job'

const urls = (on: Stage) =>
  rows<{ url: string }>(on, 'SELECT url FROM webhook_deliveries ORDER BY id').map(row => row.url)

async function addEndpoint(on: Stage, url: string, isEnabled = 1): Promise<void> {
  on.web.serve(url, 200)
  await write(on.deps.db, tx => {
    tx.db.sqlite.run(
      `INSERT INTO webhook_endpoints (id, realm_id, url, is_enabled, created_at, updated_at)
       VALUES (?, ?, ?, ?, 0, 0)`,
      [tx.id(), on.realm.id, url, isEnabled],
    )
  })
}

describe('an event is written', () => {
  test('nowhere when nobody listens: no event, no task, no call', async () => {
    const on = await stage({ webhookUrl: null })
    const id = await submit(on)
    await run(on)
    expect(eventTypes(on, id)).toEqual([])
    expect(rows(on, 'SELECT kind FROM tasks')).toEqual([])
    expect(on.web.calls).toEqual([])
  })

  test('not because another app, or the other mode, listens', async () => {
    const on = await stage({ webhookUrl: null })
    await testApp(on.deps, { webhookUrl: WEBHOOK_URL })
    on.deps.db.sqlite.run('UPDATE webhook_endpoints SET realm_id = ? WHERE realm_id <> 0', [
      on.app.realms.test.id,
    ])
    const id = await submit(on)
    await run(on)
    expect(eventTypes(on, id)).toEqual([])
  })

  test('not for an endpoint that is switched off', async () => {
    const on = await stage({ webhookUrl: null })
    await addEndpoint(on, WEBHOOK_URL, 0)
    const id = await submit(on)
    await run(on)
    expect(eventTypes(on, id)).toEqual([])
  })

  test('and sent to the app’s endpoint', async () => {
    const on = await stage()
    const id = await submit(on)
    await run(on)
    expect(eventTypes(on, id)).toEqual(['job.completed'])
    expect(urls(on)).toEqual([WEBHOOK_URL])
  })

  test('and sent to each endpoint that is on, once each', async () => {
    const on = await stage()
    await addEndpoint(on, 'https://second.example.com/')
    await addEndpoint(on, 'https://off.example.com/', 0)
    await submit(on)
    await runOut(on)
    expect(urls(on)).toEqual([WEBHOOK_URL, 'https://second.example.com/'])
    expect(on.web.calls.map(call => call.url).sort()).toEqual(urls(on).sort())
  })

  test('and sent only to the job’s own address where it has one', async () => {
    const on = await stage()
    on.web.serve(OWN_URL, 200)
    await submit(on, { webhookUrl: OWN_URL })
    await runOut(on)
    expect(urls(on)).toEqual([OWN_URL])
    expect(on.web.to(WEBHOOK_URL)).toEqual([])
  })

  test('for a job with its own address although the app has no endpoint', async () => {
    const on = await stage({ webhookUrl: null })
    on.web.serve(OWN_URL, 200)
    const id = await submit(on, { webhookUrl: OWN_URL })
    await runOut(on)
    expect(eventTypes(on, id)).toEqual(['job.completed'])
    expect(on.web.to(OWN_URL).length).toBe(1)
  })
})

describe('spreading an event twice', () => {
  async function cancelled() {
    const on = await stage({ hub: { isRunning: false } })
    await addEndpoint(on, 'https://second.example.com/')
    const id = await submit(on)
    const scope = { realmId: on.realm.id, userId: null }
    await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, id, null)
    const [row] = rows<{ id: number; payload: string }>(
      on,
      `SELECT id, payload FROM tasks WHERE kind = 'webhook.fan_out'`,
    )
    if (!row) throw new Error('no task to spread the event')
    const job = findEnded(on.deps.db, on.realm.id, id)
    const event = find(on.deps.db, JSON.parse(row.payload).event_id)
    if (!job || !event) throw new Error('no event')
    const boot = (bootId: number) =>
      write(on.deps.db, tx => ({ ...claim(tx, row.id, bootId), homePool: 'chores' as const }))
    return { on, job, event, task: row.id, boot }
  }

  test('by one worker at once writes one delivery for each endpoint, and one loses', async () => {
    const { on, job, event, boot } = await cancelled()
    const claimed = await boot(1)
    const answers = await Promise.allSettled(
      [1, 2, 3].map(() => fanOut(on.deps, claimed, event, () => job)),
    )
    expect(answers.map(answer => answer.status).sort()).toEqual([
      'fulfilled',
      'rejected',
      'rejected',
    ])
    for (const answer of answers) {
      if (answer.status === 'rejected') expect(answer.reason).toBeInstanceOf(Superseded)
    }
    expect(urls(on).length).toBe(2)
    await on.runner.start()
    await runOut(on)
    expect(on.web.calls.length).toBe(2)
  })

  test('by a worker that lost its claim to the next process writes nothing', async () => {
    const { on, job, event, task, boot } = await cancelled()
    const old = await boot(1)
    on.deps.db.sqlite.run(
      `UPDATE tasks SET state = 'ready', claim_token = NULL, boot_id = NULL WHERE id = ?`,
      [task],
    )
    const young = await boot(2)
    expect(await fanOut(on.deps, old, event, () => job).catch(error => error)).toBeInstanceOf(
      Superseded,
    )
    expect(urls(on)).toEqual([])
    await fanOut(on.deps, young, event, () => job)
    expect(urls(on).length).toBe(2)
  })
})
