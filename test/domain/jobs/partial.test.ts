import { afterEach, expect, test } from 'bun:test'
import { at, bytes, done, doneAt, pending, picture } from '@test/support/fake-provider'
import { cancel } from '@/domain/jobs'
import type { Output } from '@/providers/spec'
import {
  attemptRows,
  attemptStates,
  balance,
  closeStages,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  jobRow,
  MODEL,
  outputBytes,
  rows,
  run,
  runOut,
  runToEnd,
  type Stage,
  stage,
  submit,
  viewOf,
} from './stage'

afterEach(closeStages)

const RICH = 1_000_000_000
const COSTS = [0, 1, 3, 7, 1_000_003]
const HTML = Buffer.from('<html>sorry</html>')

test('N asked and M made: M outputs, and the tokens of the missing go back, for every N, M and price', async () => {
  const on = await stage({ tokens: RICH })
  for (const cost of COSTS) {
    price(on, cost)
    for (const asked of [1, 2, 3, 4]) {
      for (const made of [0, 1, 2, 3, 4, 5]) {
        on.provider.script(done(...outputsOf(on, made)))
        const before = balanceBefore(on)
        const id = await submit(on, { input: { num_outputs: asked } })
        await run(on)
        const kept = Math.min(made, asked)
        const charged = cost * asked
        const refunded = charged - cost * kept
        const context = { cost, asked, made }
        expect({ ...context, status: jobRow(on, id).status }).toEqual({
          ...context,
          status: kept === 0 ? 'failed' : 'succeeded',
        })
        expectMoney(on, id, { charged, refunded })
        const outputs = viewOf(on, id).outputs
        expect({ ...context, positions: outputs.map(output => output.position) }).toEqual({
          ...context,
          positions: Array.from({ length: kept }, (_, index) => index),
        })
        expect(balance(on)).toEqual({ available: before - charged + refunded, reserved: 0 })
      }
    }
  }
  await runOut(on)
  await expectBlobsMatchRows(on)
}, 20_000)

test('broken outputs cost the user those and no others, wherever they stand and however they come', async () => {
  const on = await stage({ tokens: RICH })
  const broken: Output[] = [
    bytes(HTML),
    bytes(new Uint8Array()),
    at('https://vendor.example.com/html'),
    at('https://vendor.example.com/empty'),
    at('http://vendor.example.com/plain-http'),
    at('https://vendor.example.com/gone'),
  ]
  on.web.serve('https://vendor.example.com/html', HTML)
  on.web.serve('https://vendor.example.com/empty', new Uint8Array())
  on.web.serve('https://vendor.example.com/gone', 404)
  for (const [index, bad] of broken.entries()) {
    for (const place of [0, 1, 2, 3]) {
      const outputs = outputsOf(on, 3)
      outputs.splice(place, 0, bad)
      on.provider.script(done(...outputs))
      const id = await submit(on, { input: { num_outputs: 4 } })
      await runToEnd(on, id)
      const context = { index, place }
      expect({ ...context, status: jobRow(on, id).status }).toEqual({
        ...context,
        status: 'succeeded',
      })
      expectMoney(on, id, { charged: 12, refunded: 3 })
      const contents = await outputBytes(on, id)
      expect(contents).toEqual([picture(1), picture(2), picture(3)])
    }
  }
  expect(on.provider.starts.length).toBe(broken.length * 4)
  await runOut(on)
  await expectBlobsMatchRows(on)
})

test('outputs that are partly there and partly elsewhere keep their order', async () => {
  const on = await stage()
  on.web.serve('https://vendor.example.com/2', picture(2))
  on.provider.script(
    done(
      bytes(picture(1)),
      at('https://vendor.example.com/2'),
      { type: 'text', text: 'a caption' },
      { type: 'json', value: { boxes: [1, 2] } },
    ),
  )
  const id = await submit(on, { input: { num_outputs: 4 } })
  await runToEnd(on, id)
  expect(viewOf(on, id).outputs.map(({ contentType, text }) => contentType ?? text)).toEqual([
    'image/png',
    'image/png',
    'a caption',
    '{"boxes":[1,2]}',
  ])
  expectMoney(on, id, { charged: 12, refunded: 0 })
})

test('what the vendor says it cost is booked on the attempt, the job and the day, also when it failed', async () => {
  const on = await stage()
  on.provider.script(doneAt(1_234, bytes(picture())))
  const good = await submit(on)
  await run(on)
  on.provider.script(doneAt(55, bytes(HTML)))
  const bad = await submit(on)
  await run(on)
  expect(attemptRows(on, good)[0]?.cost_micro_usd).toBe(1_234)
  expect(jobRow(on, good).cost_micro_usd).toBe(1_234)
  expect(attemptRows(on, bad)[0]?.cost_micro_usd).toBe(55)
  expect(jobRow(on, bad).cost_micro_usd).toBe(55)
  expect(rows(on, 'SELECT sum(cost_micro_usd) AS cost FROM usage_daily')).toEqual([{ cost: 1_289 }])
})

test('the cost is still known when an output could only be fetched at the second try', async () => {
  const on = await stage()
  const url = 'https://vendor.example.com/slow'
  on.web.serve(url, call =>
    call === 1 ? new Response('', { status: 503 }) : new Response(picture(9)),
  )
  on.provider.script(pending(0, doneAt(777, at(url))))
  const id = await submit(on)
  await runToEnd(on, id)
  expect(attemptStates(on, id)).toEqual(['succeeded'])
  expect(attemptRows(on, id)[0]?.cost_micro_usd).toBe(777)
  expect(jobRow(on, id).cost_micro_usd).toBe(777)
  expectEndedOnce(on, id, 'job.completed')
})

test('the cost of what was made is kept on an attempt that is cancelled while it is copied', async () => {
  const on = await stage()
  const url = 'https://vendor.example.com/never-there'
  on.web.serve(url, 503)
  on.provider.script(doneAt(321, at(url)))
  const id = await submit(on)
  await run(on)
  const scope = { realmId: on.realm.id, userId: null }
  await cancel(on.deps, { kind: 'key', id: 'key_test' }, scope, id, null)
  await runOut(on)
  expect(attemptRows(on, id)).toMatchObject([{ state: 'cancelled', cost_micro_usd: 321 }])
  expectMoney(on, id, { charged: 3, refunded: 3 })
})

/** `made` pictures, in hand and at addresses by turns. */
function outputsOf(on: Stage, made: number): Output[] {
  return Array.from({ length: made }, (_, index) => {
    const mark = index + 1
    if (index % 2 === 0) return bytes(picture(mark))
    const url = `https://vendor.example.com/${mark}.png`
    on.web.serve(url, picture(mark))
    return at(url)
  })
}

function price(on: Stage, tokens: number) {
  on.deps.db.sqlite.run('UPDATE models SET token_cost = ? WHERE name = ?', [tokens, MODEL])
  on.deps.cache.clear()
}

/** The user is made by the first job. */
function balanceBefore(on: Stage): number {
  return on.provider.starts.length === 0 ? RICH : balance(on).available
}
