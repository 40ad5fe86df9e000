import { afterEach, describe, test } from 'bun:test'
import {
  attemptStates,
  closeStages,
  expectMoney,
  imageOfDisk,
  MODEL,
  rebootFrom,
  run,
  runOut,
  type Stage,
  stage,
  submit,
  until,
} from '@test/domain/jobs/stage'
import { at, bytes, picture, type Script } from '@test/support/fake-provider'
import { setRule } from '@/domain/pricing'
import type { Output, ProviderUsage } from '@/providers/spec'

afterEach(closeStages)

const ACTOR = { kind: 'shell' as const, id: 'test' }
const VENDOR_URL = 'https://vendor.example.com/made.png'
/** A second of the vendor's machine costs one token, and a hundred are held. */
const HELD = 100
const MEASURED = 40

const measured = (usage: ProviderUsage, ...outputs: Output[]): Script => ({
  start: 'done',
  done: { state: 'done', outputs, usage },
})

async function priced(): Promise<Stage> {
  const on = await stage({ webhookUrl: null })
  const rule = { units: [{ of: 'compute_seconds', price: 1, absent: HELD }] }
  await setRule(on.deps, ACTOR, { realm: on.realm, subject: `model:${MODEL}`, rule })
  return on
}

describe('a job whose price hangs on what its vendor measured costs that, and the rest goes back', () => {
  test('when everything is here at once', async () => {
    const on = await priced()
    on.provider.script(measured({ seconds: MEASURED }, bytes(picture())))
    const id = await submit(on)
    await run(on)
    expectMoney(on, id, { charged: HELD, refunded: HELD - MEASURED })
  })

  test('when it has to be fetched first', async () => {
    const on = await priced()
    on.web.serve(VENDOR_URL, picture())
    on.provider.script(measured({ seconds: MEASURED }, at(VENDOR_URL)))
    const id = await submit(on)
    await run(on)
    expectMoney(on, id, { charged: HELD, refunded: HELD - MEASURED })
  })

  test('when the process died while it was fetched', async () => {
    const on = await priced()
    on.provider.script(measured({ seconds: MEASURED, costMicroUsd: 77 }, at(VENDOR_URL)))
    on.web.serve(VENDOR_URL, 503)
    const id = await submit(on)
    await until(() => attemptStates(on, id)[0] === 'produced')
    const image = imageOfDisk(on)
    await on.abandon()
    on.web.serve(VENDOR_URL, picture())
    const next = await rebootFrom(image, on)
    await runOut(next)
    expectMoney(next, id, { charged: HELD, refunded: HELD - MEASURED })
  })

  test('and what is held where nobody measured anything, and never more', async () => {
    const on = await priced()
    on.provider.script(
      measured({}, bytes(picture())),
      measured({ seconds: 1_000 }, bytes(picture())),
    )
    for (let i = 0; i < 2; i++) {
      const id = await submit(on)
      await run(on)
      expectMoney(on, id, { charged: HELD, refunded: 0 })
    }
  })
})
