/**
 * What the hub adds to a call of a vendor: the same vendor on loopback, asked by its own official client and
 * through the hub, with the true adapter. `bun bench/overhead.ts [--short]`.
 *
 * A job's end is when its webhook arrives, so whoever waits costs the hub nothing while he does. Commits,
 * the stored file and the webhook are all within what is measured.
 */

import { startReceiver } from '@test/support/webhook-receiver'
import { quantile, submit } from '@test/vendors-load/caller'
import { type LoadHub, startLoadHub, type Vendors } from '@test/vendors-load/hub'
import { startMaker } from '@test/vendors-load/maker'
import { startPredictor } from '@test/vendors-load/predictor'
import OpenAI from 'openai'
import Replicate from 'replicate'

export type Overhead = {
  what: string
  direct: { median: number; p99: number }
  hub: { median: number; p99: number }
}

const TAKES_MS = 100
const WORKS_MS = 2_000
const KEY = 'key-on-loopback'
const IMAGE_MODEL = 'gpt-image-2'
const FLUX = 'black-forest-labs/flux-schnell'

/** `count` calls of each kind at each number of callers; asynchronous ones a third as many, of 8 callers. */
export async function benchOverhead(count: number): Promise<Overhead[]> {
  await using maker = startMaker({ wire: 'openai', takes: TAKES_MS })
  let isEven = true
  const uneven = (count: number) => WORKS_MS - 500 + ((count * 617) % 1_000)
  await using predictor = startPredictor({
    worksMs: nth => (isEven ? WORKS_MS : uneven(nth)),
  })
  await using unused = startMaker({ wire: 'gemini', takes: 0 })
  await using receiver = startReceiver()
  const vendors: Vendors = { openai: maker, replicate: predictor, gemini: unused }
  await using hub = await startLoadHub(
    vendors,
    {
      'bench-sync': [{ provider: 'openai', providerModel: IMAGE_MODEL }],
      'bench-async': [{ provider: 'replicate', providerModel: FLUX }],
    },
    [receiver.host],
  )
  const openai = new OpenAI({ apiKey: KEY, baseURL: maker.baseUrl, maxRetries: 0 })
  const replicate = new Replicate({ auth: KEY, baseUrl: predictor.baseUrl })
  const through = (model: string) => throughHub(hub, receiver, model)
  const draw = (prompt: string) => openai.images.generate({ model: IMAGE_MODEL, prompt })
  const predict = (prompt: string) =>
    replicate.run(FLUX, { input: { prompt }, wait: { mode: 'poll' } })

  const rows: Overhead[] = []
  for (const callers of [1, 8, 32]) {
    const what = `synchronous, ${TAKES_MS} ms, ${callers} callers`
    const calls = Math.max(count, callers * 4)
    rows.push(await compare({ what, callers, calls, direct: draw, hub: through('bench-sync') }))
  }
  // Both ask at whole seconds, and a vendor that needs two of them flatters both.
  for (const needs of [`${WORKS_MS} ms`, `${WORKS_MS} ms on average`]) {
    isEven = needs === `${WORKS_MS} ms`
    const what = `asynchronous, ${needs}`
    const calls = Math.max(Math.ceil(count / 3), 3 * 8)
    const hub = through('bench-async')
    rows.push(await compare({ what, callers: 8, calls, direct: predict, hub }))
  }
  for (const { what, direct, hub: ours } of rows) {
    const side = ({ median, p99 }: Overhead['hub']) => `median ${ms(median)} p99 ${ms(p99)}`
    console.log(
      `${what.padEnd(36)} direct ${side(direct)}   hub ${side(ours)}   adds ${ms(ours.median - direct.median)} ${ms(ours.p99 - direct.p99)} ms`,
    )
  }
  return rows
}

const ms = (value: number) => value.toFixed(1).padStart(7)

type Call = (prompt: string) => Promise<unknown>
type Comparison = { what: string; callers: number; calls: number; direct: Call; hub: Call }

/** In short turns, so that a machine that drifts drifts for both. */
async function compare({ what, callers, calls, direct, hub }: Comparison): Promise<Overhead> {
  const times = { direct: [] as number[], hub: [] as number[] }
  await Promise.all(['warm 1', 'warm 2'].flatMap(prompt => [direct(prompt), hub(prompt)]))
  for (let turn = 0; turn < TURNS; turn++) {
    const share = Math.ceil(calls / TURNS)
    times.direct.push(...(await timesOf(direct, callers, share)))
    times.hub.push(...(await timesOf(hub, callers, share)))
  }
  const summary = (values: number[]) => ({
    median: quantile(values, 0.5),
    p99: quantile(values, 0.99),
  })
  return { what, direct: summary(times.direct), hub: summary(times.hub) }
}

const TURNS = 3

async function timesOf(call: Call, callers: number, calls: number): Promise<number[]> {
  const times: number[] = []
  let left = calls
  const caller = async () => {
    while (left-- > 0) {
      const startedAt = performance.now()
      await call('a lighthouse at dawn')
      times.push(performance.now() - startedAt)
    }
  }
  await Promise.all(Array.from({ length: callers }, caller))
  return times
}

function throughHub(hub: LoadHub, receiver: ReturnType<typeof startReceiver>, model: string): Call {
  const ends = new Map<string, (status: string) => void>()
  const answered = receiver.answer
  receiver.answer = one => {
    ends.get(one.event.job_id)?.(one.event.status)
    return answered(one)
  }
  return async prompt => {
    const id = await submit(hub, model, prompt, receiver.url)
    const status = await new Promise<string>(resolve => {
      const [known] = receiver.of(id)
      if (known) return resolve(known.event.status)
      ends.set(id, resolve)
    })
    ends.delete(id)
    if (status !== 'succeeded') throw new Error(`job ${id} is ${status}`)
  }
}

if (import.meta.main) await benchOverhead(process.argv.includes('--short') ? 60 : 300)
