import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeStages,
  jobRow,
  rows,
  run,
  type Stage,
  stage,
  submit,
  TEXT_MODEL,
} from '@test/domain/jobs/stage'
import { bytes, doneAt, pendingForEver, picture } from '@test/support/fake-provider'
import { DAY } from '@/base/clock'
import type { JobId } from '@/base/ids'
import { write } from '@/db/write'
import { bookLate } from '@/domain/jobs'

let on: Stage

beforeEach(async () => {
  on = await stage({ webhookUrl: null })
  on.provider.script(doneAt(100, bytes(picture())))
})
afterEach(closeStages)

const ended = async (change: Parameters<typeof submit>[1] = {}): Promise<JobId> => {
  const id = await submit(on, change)
  await run(on)
  return id
}
const book = (id: JobId, costMicroUsd: number) =>
  write(on.deps.db, tx => bookLate(tx, id, costMicroUsd))
const days = () =>
  rows<{ day: number; jobs: number; cost: number }>(
    on,
    'SELECT day, jobs, cost_micro_usd AS cost FROM usage_daily ORDER BY day',
  )

describe('a cost that became known later', () => {
  test('goes to the job and to the day on which it ended, and counts no second job', async () => {
    const id = await ended()
    on.clock.advance(DAY)
    await ended()
    await book(id, 130)
    expect(jobRow(on, id).cost_micro_usd).toBe(130)
    expect(days()).toEqual([
      { day: 20260115, jobs: 1, cost: 130 },
      { day: 20260116, jobs: 1, cost: 100 },
    ])
  })

  test('goes to its own user, model, realm and provider only', async () => {
    const id = await ended()
    await ended({ externalId: 'somebody else' })
    await ended({ model: TEXT_MODEL })
    await ended({ realm: on.app.realms.test })
    const others = () =>
      rows(
        on,
        `SELECT u.* FROM usage_daily u JOIN jobs j ON j.id = ?
         WHERE (u.user_id, u.model_id, u.realm_id) <> (j.user_id, j.model_id, j.realm_id)`,
        id,
      )
    const before = others()
    expect(before.length).toBe(3)
    await book(id, 130)
    expect(others()).toEqual(before)
    expect(jobRow(on, id).cost_micro_usd).toBe(130)
  })

  test('is the whole: said twice it is counted once, and less takes nothing back', async () => {
    const id = await ended()
    await book(id, 130)
    await book(id, 135)
    await book(id, 135)
    await book(id, 20)
    expect(jobRow(on, id).cost_micro_usd).toBe(135)
    expect(days()).toEqual([{ day: 20260115, jobs: 1, cost: 135 }])
  })

  test('is not booked on a job that goes on: its end books it', async () => {
    on.provider.script(pendingForEver())
    const id = await ended()
    await book(id, 30)
    expect(jobRow(on, id)).toMatchObject({ status: 'running', cost_micro_usd: 0 })
    expect(days()).toEqual([])
  })
})
