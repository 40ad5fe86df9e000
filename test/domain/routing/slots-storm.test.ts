import { afterEach, expect, test } from 'bun:test'
import { closeStages, jobRow, nextDue, rows, run, runOut, submit } from '@test/domain/jobs/stage'
import type { JobId } from '@/base/ids'
import { cancel } from '@/domain/jobs'
import { began, cappedStage, countingVendor, worksFor } from './capped'
import { seeded } from './simulation'

afterEach(closeStages)

const JOBS = 200
const CAPS = [3, 1] as const

test.each([1, 2, 3])(
  '200 jobs for four places, seed %i: no place is idle while somebody waits, nobody is overtaken',
  async seed => {
    const random = seeded(seed)
    const vendors = [countingVendor('large'), countingVendor('small')]
    const on = await cappedStage(vendors, [...CAPS])
    for (const vendor of vendors) {
      const works = Array.from({ length: 40 }, () => worksFor(Math.floor(random() * 12_000)))
      vendor.script(...works, ...works, ...works, ...works, ...works)
    }
    const waiting = () =>
      rows<{ id: JobId }>(on, `SELECT id FROM jobs WHERE status = 'queued' ORDER BY id`).map(
        ({ id }) => id,
      )
    let longestLine = 0
    const check = () => {
      const line = waiting().length
      longestLine = Math.max(longestLine, line)
      const open = vendors.map(vendor => vendor.open.size)
      if (line > 0) expect({ line, open }).toEqual({ line, open: [...CAPS] })
    }

    const ids: JobId[] = []
    const cancelled = new Set<JobId>()
    while (ids.length < JOBS) {
      const id = await submit(on)
      ids.push(id)
      if (random() < 0.1) {
        const line = waiting()
        const victim = line[Math.floor(random() * line.length)]
        if (victim !== undefined) {
          const scope = { realmId: on.realm.id, userId: null }
          await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, victim, null)
          cancelled.add(victim)
        }
      }
      await run(on)
      check()
      if (random() < 0.7) {
        const until = on.clock.now() + Math.floor(random() * 3_000)
        for (let due = nextDue(on); due !== null && due <= until; due = nextDue(on)) {
          on.clock.advance(Math.max(due - on.clock.now(), 0))
          await run(on)
          check()
        }
        on.clock.advance(Math.max(until - on.clock.now(), 0))
      }
    }
    await runOut(on)
    expect(longestLine).toBeGreaterThan(20)
    expect(cancelled.size).toBeGreaterThan(5)
    expect(vendors.map(vendor => vendor.most)).toEqual([...CAPS])
    const served = ids.filter(id => !cancelled.has(id))
    expect(began(on)).toEqual(served)
    expect(served.filter(id => jobRow(on, id).status !== 'succeeded')).toEqual([])
  },
)
