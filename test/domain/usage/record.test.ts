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
  userId,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  doneAt,
  fails,
  lost,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { DAY, HOUR } from '@/base/clock'
import { cancel } from '@/domain/jobs'

afterEach(closeStages)

const usage = (on: Stage) =>
  rows(
    on,
    `SELECT day, provider, user_id, jobs, succeeded, failed, cancelled, outputs, tokens, cost_micro_usd
     FROM usage_daily ORDER BY day, provider, user_id`,
  )

test('each ended job is counted once, on the day it ended, with what was really paid', async () => {
  const on = await stage()
  on.provider.script(doneAt(100, bytes(picture(1)), bytes(picture(2))))
  await submit(on, { input: { num_outputs: 4 } })
  await run(on)
  on.provider.script(fails('rejected'))
  await submit(on)
  await run(on)
  on.provider.script(pendingForEver())
  const id = await submit(on)
  await run(on)
  const scope = { realmId: on.realm.id, userId: null }
  await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, id, null)
  await runOut(on)
  expect(usage(on)).toEqual([
    {
      day: 20260115,
      provider: 'fake',
      user_id: userId(on),
      jobs: 3,
      succeeded: 1,
      failed: 1,
      cancelled: 1,
      outputs: 2,
      tokens: 2 * COST,
      cost_micro_usd: 100,
    },
  ])
})

test('a job that ends after midnight UTC counts for the new day', async () => {
  const on = await stage()
  on.provider.script(lost(done(bytes(picture()))))
  on.clock.advance(DAY - (on.clock.now() % DAY) - HOUR / 12)
  await submit(on)
  await runOut(on)
  expect(usage(on)).toMatchObject([{ day: 20260116, failed: 1, tokens: 0 }])
})

test('a job that nobody was asked for has no provider', async () => {
  const on = await stage({ hub: { isRunning: false } })
  const id = await submit(on)
  const scope = { realmId: on.realm.id, userId: null }
  await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, id, null)
  expect(usage(on)).toMatchObject([{ provider: '', cancelled: 1, jobs: 1 }])
})

test('the roll-up agrees with the ledger and with the jobs', async () => {
  const on = await stage()
  const scripts = [
    done(bytes(picture(1))),
    done(bytes(picture(1)), bytes(picture(2)), bytes(picture(3))),
    fails('rejected'),
    done(),
  ]
  for (let round = 0; round < 20; round++) {
    on.provider.script(scripts[round % scripts.length] ?? done())
    const externalId = `user-${round % 3}`
    await submit(on, { externalId, input: { num_outputs: (round % 4) + 1 } })
    await run(on)
    if (round % 5 === 0) on.clock.advance(DAY)
  }
  const [summed] = rows(
    on,
    `SELECT sum(jobs) AS jobs, sum(succeeded) AS succeeded, sum(tokens) AS tokens, sum(outputs) AS outputs
     FROM usage_daily`,
  )
  const [expected] = rows(
    on,
    `SELECT count(*) AS jobs, sum(status = 'succeeded') AS succeeded,
       (SELECT -sum(amount) FROM token_entries WHERE type LIKE 'GENERATION_%') AS tokens,
       (SELECT count(*) FROM job_outputs) AS outputs
     FROM jobs`,
  )
  expect(summed).toEqual(expected)
})
