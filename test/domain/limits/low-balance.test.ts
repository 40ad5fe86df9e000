import { afterEach, expect, test } from 'bun:test'
import {
  COST,
  closeStages,
  rows,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  USER,
  userId,
  WEBHOOK_URL,
} from '@test/domain/jobs/stage'
import { bytes, done, fails, picture } from '@test/support/fake-provider'
import { write } from '@/db/write'
import { grant } from '@/domain/ledger'
import { erase } from '@/domain/users'
import { ACTOR, setApp } from './rig'

afterEach(closeStages)

const OWN_URL = 'https://app.example.com/only-this-job'

/** Ten pictures' worth of tokens, and a threshold at the half of it. */
async function lowOn() {
  const on = await stage({ tokens: 10 * COST })
  await setApp(on, { lowBalanceThreshold: 5 * COST })
  on.provider.script(done(bytes(picture())))
  return on
}

type Notice = Record<string, unknown>
const notices = (on: Stage): Notice[] =>
  on.web
    .to(WEBHOOK_URL)
    .map(call => JSON.parse(String(call.init.body)) as Notice)
    .filter(body => body.event === 'tokens.low')

async function make(on: Stage, count: number) {
  for (let i = 0; i < count; i++) {
    await submit(on)
    await run(on)
  }
}

const give = (on: Stage, amount: number) =>
  write(on.deps.db, tx =>
    grant(tx, {
      realmId: on.realm.id,
      userId: userId(on),
      amount,
      type: 'GRANT',
      description: 'bought',
    }),
  )

test('the hold that crosses the threshold is told of, once, until the user was above it again', async () => {
  const on = await lowOn()
  await make(on, 5)
  // At the threshold is not below it.
  expect(notices(on)).toEqual([])
  await make(on, 1)
  expect(notices(on)).toEqual([
    {
      id: expect.stringMatching(/^evt_/),
      event: 'tokens.low',
      mode: 'live',
      created_at: '2026-01-15T10:30:00Z',
      user_id: USER,
      balance: 4 * COST,
      threshold: 5 * COST,
    },
  ])
  await make(on, 3)
  expect(notices(on)).toHaveLength(1)
  await give(on, 10 * COST)
  await make(on, 5)
  expect(notices(on)).toHaveLength(1)
  await make(on, 2)
  expect(notices(on)).toHaveLength(2)
})

test('a refund that lifts the user above it makes the next crossing news', async () => {
  const on = await lowOn()
  await make(on, 5)
  on.provider.script(fails('rejected'))
  await make(on, 2)
  expect(notices(on)).toHaveLength(2)
})

test('it goes to the app’s endpoints, and not to a job’s own address', async () => {
  const on = await lowOn()
  on.web.serve(OWN_URL, 200)
  await submit(on, { webhookUrl: OWN_URL, input: { num_outputs: 4 } })
  await submit(on, { webhookUrl: OWN_URL, input: { num_outputs: 4 } })
  await runOut(on)
  expect(notices(on)).toHaveLength(1)
  const toJob = on.web.to(OWN_URL).map(call => JSON.parse(String(call.init.body)).event)
  expect(toJob).toEqual(['job.completed', 'job.completed'])
})

test('nothing is written where nobody listens or nobody asked', async () => {
  const silent = await stage({ webhookUrl: null, tokens: 10 * COST })
  await setApp(silent, { lowBalanceThreshold: 5 * COST })
  await make(silent, 8)
  expect(rows(silent, `SELECT id FROM events WHERE type = 'tokens.low'`)).toEqual([])
  const unasked = await stage({ tokens: 10 * COST })
  await make(unasked, 8)
  expect(notices(unasked)).toEqual([])
})

test('an event that was not sent yet names nobody who was erased meanwhile, and a sent one is emptied', async () => {
  const on = await stage({ tokens: 10 * COST, hub: { isRunning: false } })
  await setApp(on, { lowBalanceThreshold: 5 * COST })
  await submit(on, { input: { num_outputs: 4 } })
  await submit(on, { input: { num_outputs: 4 } })
  expect(rows(on, `SELECT data FROM events WHERE type = 'tokens.low'`)).toEqual([
    { data: JSON.stringify({ balance: 2 * COST, threshold: 5 * COST }) },
  ])
  await erase(on.deps, ACTOR, on.realm, USER)
  await on.runner.start()
  await runOut(on)
  expect(notices(on)).toEqual([])

  const sent = await lowOn()
  await make(sent, 7)
  expect(notices(sent)).toHaveLength(1)
  await erase(sent.deps, ACTOR, sent.realm, USER)
  await runOut(sent)
  const bodies = rows<{ body: string }>(sent, 'SELECT body FROM webhook_deliveries')
  expect(bodies.length).toBeGreaterThan(7)
  expect(bodies.filter(({ body }) => body.includes(USER))).toEqual([])
})
