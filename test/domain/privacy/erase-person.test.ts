import { afterEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  blobNames,
  COST,
  closeStages,
  copyOfImage,
  databaseBytes,
  expectBlobsMatchRows,
  imageOfDisk,
  jobRow,
  nextDue,
  rebootFrom,
  rows,
  run,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  until,
  userId,
  viewOf,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import { fakeClock } from '@test/support/fake-clock'
import {
  at,
  bytes,
  done,
  fails,
  failure,
  fakeProvider,
  lost,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { expectLedgerInOrder } from '@test/support/test-hub'
import { HOUR } from '@/base/clock'
import { formatId, type JobId, type UserId } from '@/base/ids'
import { write } from '@/db/write'
import type { Actor } from '@/deps'
import { linkTo, openLink } from '@/domain/files'
import { receiveCallback } from '@/domain/generation'
import { cancelAllOf, eraseJob, listJobs } from '@/domain/jobs'
import { erasePerson } from '@/domain/privacy'
import { create, erase, findByExternalId, grantTokens } from '@/domain/users'
import { claim } from '@/queue/claim'
import { taskKinds } from '@/workers/kinds'

afterEach(closeStages)

const ACTOR: Actor = { kind: 'key', id: 'key_test' }
const PERSON = 'person-zyxwv-4711'
const PROMPT = 'an unmistakable garden gnome'
const METADATA = 'metadata-zyxwv'
const NOTE = 'note-zyxwv-of-the-user'
const OWN_URL = `https://app.example.com/hook?user=${PERSON}`
const VENDOR_URL = 'https://vendor.example.com/gnome-zyxwv.png'
const KEY = `req-${PERSON}`
/** Everything that says who it was or what they wanted. */
const TRACES = [PERSON, PROMPT, METADATA, NOTE, 'gnome-zyxwv', 'zyxwv']

type Life = { on: Stage; user: UserId; jobs: Record<string, JobId> }

/** A person with a job in each state there is, and with everything that jobs leave behind. */
async function life(): Promise<Life> {
  const vendor = fakeProvider({ canFind: true, canCallBack: true })
  const on = await stage({
    providers: [vendor],
    hub: { config: { publicUrl: 'https://hub.example.com' } },
  })
  on.web.serve(VENDOR_URL, picture(3))
  const { user } = await create(
    on.deps,
    on.realm,
    { externalId: PERSON, metadata: { note: NOTE } },
    null,
  )
  const request = {
    externalId: PERSON,
    metadata: { screen: METADATA },
    input: { prompt: PROMPT, num_outputs: 2 },
  }
  const jobs: Record<string, JobId> = {}

  vendor.script(done(bytes(picture(1)), at(VENDOR_URL)))
  jobs.succeeded = await submit(on, { ...request, idempotency: { key: KEY, hash: 'h' } })
  await run(on)
  vendor.script(done({ type: 'text', text: `you wrote: ${PROMPT}` }, bytes(picture(1))))
  jobs.text = await submit(on, request)
  await run(on)
  vendor.script({ start: 'fails', error: failure('rejected', { cause: null }) })
  jobs.failed = await submit(on, request)
  await run(on)
  vendor.script(lost(pendingForEver(HOUR / 10)))
  jobs.unknown = await submit(on, request)
  await run(on)
  vendor.script(pendingForEver(HOUR / 10))
  // The app's own address names the person, and it does not answer: a delivery is still to come.
  vendor.script(fails('rejected'))
  jobs.undelivered = await submit(on, { ...request, webhookUrl: OWN_URL })
  await run(on)
  vendor.script(pendingForEver(HOUR / 10))
  jobs.waiting = await submit(on, request)
  await run(on)
  await callBack(on)
  await run(on)
  expect(nextDue(on)).not.toBeNull()
  vendorsWords(on)
  return { on, user: user.id, jobs }
}

/** Vendors repeat the prompt in handles, messages and callbacks. */
function vendorsWords(on: Stage) {
  on.deps.db.sqlite.run(`UPDATE attempts SET error_message = ?1 WHERE error_kind IS NOT NULL`, [
    `bad prompt: ${PROMPT}`,
  ])
  on.deps.db.sqlite.run(`UPDATE attempts SET operation = ?1 WHERE state = 'waiting'`, [
    JSON.stringify({ id: 'op-5', prompt: PROMPT }),
  ])
}

async function callBack(on: Stage, eventId = 'callback-1') {
  const { context } = on.provider.starts.at(-1) ?? {}
  const [, , provider = '', attempt = '', token = ''] = new URL(
    context?.callbackUrl ?? '',
  ).pathname.split('/')
  await receiveCallback(on.deps, {
    provider,
    attempt,
    token,
    readBody: async () => Buffer.from(JSON.stringify({ id: eventId, input: { prompt: PROMPT } })),
    headers: new Headers({ 'x-fake-signature': 'good' }),
  })
}

/** How often each trace stands in the database's file. */
function traces(on: Stage): Record<string, boolean> {
  on.deps.db.sqlite.run('VACUUM')
  on.deps.db.sqlite.run('PRAGMA wal_checkpoint(TRUNCATE)')
  const content = databaseBytes(on)
  return Object.fromEntries(TRACES.map(trace => [trace, content.includes(trace)]))
}

const each = (value: boolean) => Object.fromEntries(TRACES.map(trace => [trace, value]))

async function expectGone({ on, user, jobs }: Life) {
  expect(traces(on)).toEqual(each(false))
  expect(blobNames(on)).toEqual([])
  expect(rows(on, 'SELECT id FROM files')).toEqual([])
  expect(rows(on, 'SELECT * FROM job_inputs')).toEqual([])
  expect(rows(on, 'SELECT * FROM job_outputs')).toEqual([])
  expect(rows(on, 'SELECT * FROM user_identities')).toEqual([])
  for (const id of Object.values(jobs)) {
    for (const attempt of attemptRows(on, id)) {
      expect(attempt).toMatchObject({ operation: null, outputs: null, error_message: null })
      expect(attempt.finished_at).not.toBeNull()
    }
  }
  expect(rows(on, `SELECT id FROM webhook_deliveries WHERE state = 'pending'`)).toEqual([])
  expect(rows(on, 'SELECT external_id, metadata, is_active, reserved FROM users')).toEqual([
    { external_id: null, metadata: '{}', is_active: 0, reserved: 0 },
  ])
  // The accounts stay, without a name.
  const [sum] = rows<{ total: number; count: number }>(
    on,
    'SELECT sum(amount) AS total, count(*) AS count FROM token_entries WHERE user_id = ?',
    user,
  )
  expect(sum?.total).toBe(START_TOKENS - 4 * COST)
  expect(sum?.count).toBe(1 + 6 + 4)
  expectLedgerInOrder(on.deps)
}

describe('erasing a person', () => {
  test('leaves nothing that says who it was or what they wanted, and every token accounted for', async () => {
    const there = await life()
    const { on, user, jobs } = there
    expect(traces(on)).toEqual(each(true))
    const paid = [jobs.succeeded, jobs.text].map(
      id => jobRow(on, id ?? (0 as JobId)).tokens_charged,
    )
    expect(paid).toEqual([2 * COST, 2 * COST])

    expect(await erase(on.deps, ACTOR, on.realm, PERSON)).toBe(user)
    expect(findByExternalId(on.deps.db, on.realm.id, PERSON)).toBeNull()
    await runOut(on)
    await expectGone(there)
    expect(on.provider.cancels.length).toBeGreaterThan(0)
    for (const name of ['waiting', 'unknown']) {
      const id = jobs[name] ?? (0 as JobId)
      expect(jobRow(on, id)).toMatchObject({
        status: 'cancelled',
        tokens_charged: 2 * COST,
        tokens_refunded: 2 * COST,
      })
    }
  })

  test('closes the links to their pictures at once', async () => {
    const { on, jobs } = await life()
    const [output] = viewOf(on, jobs.succeeded ?? (0 as JobId)).outputs
    const file = { id: output?.fileId ?? (0 as never), contentType: 'image/png' }
    const url = new URL(linkTo(on.deps, 'https://hub.example.com', file, HOUR).url)
    const parts = {
      name: url.pathname.replace('/files/', ''),
      expiry: url.searchParams.get('exp') ?? '',
      signature: url.searchParams.get('sig') ?? '',
    }
    expect(openLink(on.deps, parts).contentType).toBe('image/png')
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await run(on)
    expect(() => openLink(on.deps, parts)).toThrow()
  })

  test('sends nothing of them any more, also not what was still to be delivered', async () => {
    const { on } = await life()
    on.web.serve(OWN_URL, 200)
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await run(on)
    const before = on.web.calls.length
    await runOut(on)
    const after = on.web.calls.slice(before)
    expect(on.web.to(OWN_URL).length).toBe(1)
    for (const call of after) {
      for (const trace of TRACES) expect(String(call.init.body)).not.toContain(trace)
    }
  })

  test('twice, and by two at once, is as good as once', async () => {
    const there = await life()
    const { on, user } = there
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await Promise.all([erasePerson(on.deps, user), erasePerson(on.deps, user), run(on)])
    await erasePerson(on.deps, user)
    await runOut(on)
    await expectGone(there)
  })

  test('touches nobody else', async () => {
    const { on, user } = await life()
    on.provider.script(done(bytes(picture(9))))
    const other = await submit(on, { externalId: 'somebody-else', metadata: { k: 'kept' } })
    await run(on)
    const before = [viewOf(on, other), attemptRows(on, other)]
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await runOut(on)
    expect([viewOf(on, other), attemptRows(on, other)]).toEqual(before)
    expect(rows(on, 'SELECT job_id FROM job_inputs')).toEqual([{ job_id: other }])
    await expectBlobsMatchRows(on)
    expect(blobNames(on).length).toBe(1)
    expect(userId(on, 'somebody-else')).not.toBe(user)
    expect(on.web.to(WEBHOOK_URL).length).toBeGreaterThan(0)
  })

  test('gives the same id no second welcome: who comes back is somebody new with nothing', async () => {
    const { on, user } = await life()
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await runOut(on)
    const error: unknown = await submit(on, { externalId: PERSON }).catch(thrown => thrown)
    expect(error).toMatchObject({ code: 'insufficient_tokens', detail: { balance: 0 } })
    await grantTokens(on.deps, ACTOR, on.realm, {
      externalId: PERSON,
      amount: 10,
      reason: 'again',
      type: 'GRANT',
      idempotency: null,
    })
    const back = await submit(on, { externalId: PERSON, idempotency: { key: KEY, hash: 'h' } })
    const fresh = userId(on, PERSON)
    expect(fresh).not.toBe(user)
    const scope = { realmId: on.realm.id, userId: fresh }
    const page = { before: Number.MAX_SAFE_INTEGER, limit: 10 }
    const seen = listJobs(on.deps, scope, { statuses: [], model: null }, page).jobs
    expect(seen.map(job => job.id)).toEqual([back])
    await runOut(on)
    expectLedgerInOrder(on.deps)
  })
})

describe('when the process dies while a person is erased', () => {
  /** Where it dies: at the n-th commit or removal of a blob after the erasure was ordered. */
  async function dieAt(at: number, before: Life & { image: string }): Promise<Stage | null> {
    const { web, providers, app } = before.on
    const old = { clock: fakeClock(), web, providers, app }
    const on = await rebootFrom(copyOfImage(before.image), old, false)
    const death = Promise.withResolvers<string>()
    const never = new Promise<never>(() => {})
    let steps = 0
    let isDead = false
    const step = (): Promise<never> | null => {
      if (isDead) return never
      if (steps++ < at) return null
      isDead = true
      death.resolve(imageOfDisk(on))
      return never
    }
    await erase(on.deps, ACTOR, on.realm, PERSON)
    await on.runner.start()
    const { writer } = on.deps.db
    const { enqueue } = writer
    const { delete: remove } = on.deps.storage
    writer.enqueue = async change => {
      await step()
      const answer = await enqueue(change)
      await step()
      return answer
    }
    on.deps.storage.delete = async key => {
      await step()
      await remove(key)
      await step()
    }
    const image = await Promise.race([death.promise, runOut(on).then(() => null)])
    if (image === null) return null
    await on.abandon()
    return await rebootFrom(image, on)
  }

  test('at any point of it, the next life finishes it', async () => {
    const there = await life()
    const before = { ...there, image: imageOfDisk(there.on) }
    await there.on.close()
    let deaths = 0
    for (;;) {
      const next = await dieAt(deaths, before)
      if (!next) break
      await runOut(next)
      await expectGone({ ...there, on: next })
      await next.close()
      deaths++
    }
    expect(deaths).toBeGreaterThan(10)
  }, 20_000)
})

test('a webhook that is being written while its person is erased holds nothing of them', async () => {
  const on = await stage({ hub: { isRunning: false } })
  const id = await submit(on, { metadata: { screen: METADATA } })
  await cancelAllOf(on.deps, userId(on))
  const [task] = rows<{ id: number }>(on, `SELECT id FROM tasks WHERE kind = 'webhook.fan_out'`)
  const claimed = await write(on.deps.db, tx => ({
    ...claim(tx, task?.id ?? 0, 1),
    homePool: 'chores' as const,
  }))
  const erased = write(on.deps.db, tx => eraseJob(tx, id))
  const handled = taskKinds(on.deps)['webhook.fan_out']?.handle(
    claimed,
    undefined,
    new AbortController().signal,
  )
  await Promise.all([erased, handled])
  const [delivery] = rows<{ body: string }>(on, 'SELECT body FROM webhook_deliveries')
  expect(delivery?.body).toContain(formatId('job', id))
  expect(delivery?.body).not.toContain(METADATA)
})

test('a callback that arrives after the erasure is taken, and nothing of it is kept', async () => {
  const there = await life()
  const { on } = there
  await erase(on.deps, ACTOR, on.realm, PERSON)
  await until(() => rows(on, 'SELECT * FROM job_inputs').length === 0)
  await callBack(on, 'callback-2')
  await runOut(on)
  await callBack(on, 'callback-3')
  await runOut(on)
  expect(rows(on, 'SELECT event_id, body FROM inbox ORDER BY id')).toEqual(
    ['callback-1', 'callback-2', 'callback-3'].map(event_id => ({ event_id, body: '' })),
  )
  await expectGone(there)
})

test('a vendor’s answer that arrives after the erasure leaves nothing either', async () => {
  const on = await stage()
  on.web.serve(VENDOR_URL, picture())
  const answered = Promise.withResolvers<void>()
  const reached = Promise.withResolvers<void>()
  on.provider.script(done({ type: 'text', text: PROMPT }, at(VENDOR_URL)))
  on.provider.onStep = step => {
    if (step !== 'start:answered') return
    reached.resolve()
    return answered.promise
  }
  await submit(on, { externalId: PERSON, input: { prompt: PROMPT, num_outputs: 2 } })
  await reached.promise
  // The vendor is told of the end only later: a chore that waits its turn.
  on.deps.db.sqlite.run(
    'CREATE TEMP TRIGGER later AFTER INSERT ON tasks WHEN NEW.kind = ' +
      `'job.cancel_remote' BEGIN UPDATE tasks SET state = 'scheduled', run_at = ${on.clock.now() + HOUR} WHERE id = NEW.id; END`,
  )
  const user = userId(on, PERSON)
  await erase(on.deps, ACTOR, on.realm, PERSON)
  await until(() => rows(on, 'SELECT * FROM job_inputs').length === 0)
  answered.resolve()
  await run(on)
  expect(rows(on, 'SELECT outputs FROM attempts')).toEqual([{ outputs: null }])
  await runOut(on)
  expect(traces(on)[PROMPT]).toBe(false)
  expect(on.web.to(VENDOR_URL)).toEqual([])
  expect(blobNames(on)).toEqual([])
  expect(user).toBeGreaterThan(0)
  expectLedgerInOrder(on.deps)
})
