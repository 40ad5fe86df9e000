import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  attemptRows,
  COST,
  closeStages,
  expectMoney,
  jobRow,
  rows,
  run,
  type Stage,
  stage,
  submit,
} from '@test/domain/jobs/stage'
import {
  bytes,
  done,
  type FakeProvider,
  fails,
  fakeProvider,
  lost,
  pending,
  pendingForEver,
  picture,
} from '@test/support/fake-provider'
import { MINUTE } from '@/base/clock'
import { AppError } from '@/base/errors'
import { receiveCallback } from '@/domain/generation'

const LONG = 9 * MINUTE
const PUBLIC = { publicUrl: 'https://hub.example.com' }

let on: Stage
let vendor: FakeProvider

beforeEach(async () => {
  vendor = fakeProvider({ canFind: true, canCallBack: true })
  const silent = fakeProvider({ name: 'without-callbacks' })
  on = await stage({ providers: [vendor, silent], hub: { config: PUBLIC } })
})
afterEach(closeStages)

describe('a callback', () => {
  test('makes a long wait short: the vendor is asked at once', async () => {
    vendor.script(pending(0, done(bytes(picture())), LONG))
    const id = await submit(on)
    await run(on)
    expect(jobRow(on, id).status).toBe('running')
    await call(at(0), 'delivery-1')
    await run(on)
    expect(jobRow(on, id).status).toBe('succeeded')
    expect([vendor.starts.length, vendor.polls.length]).toEqual([1, 1])
    expectMoney(on, id, { charged: COST, refunded: 0 })
  })

  test('for a start without an answer: it is looked up at once and succeeds', async () => {
    vendor.script(lost(done(bytes(picture()))))
    const id = await submit(on)
    await run(on)
    expect(attemptRows(on, id)[0]?.state).toBe('unknown')
    await call(at(0), 'delivery-1')
    await run(on)
    expect(jobRow(on, id).status).toBe('succeeded')
    expect(vendor.starts.length).toBe(1)
    expectMoney(on, id, { charged: COST, refunded: 0 })
  })

  test('that comes twice is taken once', async () => {
    vendor.script(pendingForEver(LONG))
    await submit(on)
    await run(on)
    for (let again = 0; again < 3; again++) {
      await call(at(0), 'delivery-1')
      await run(on)
    }
    expect(vendor.polls.length).toBe(1)
    expect(rows(on, 'SELECT event_id FROM inbox')).toEqual([{ event_id: 'delivery-1' }])
  })

  test('that says it is done is never the result: the vendor is asked', async () => {
    vendor.script(pendingForEver(LONG))
    const id = await submit(on)
    await run(on)
    await call(at(0), 'delivery-1')
    await run(on)
    expect(vendor.polls.length).toBe(1)
    expect(jobRow(on, id).status).toBe('running')
  })

  test('for a job that has ended is taken and changes nothing', async () => {
    vendor.script(done(bytes(picture())))
    const id = await submit(on)
    await run(on)
    const before = [jobRow(on, id), attemptRows(on, id)]
    await call(at(0), 'delivery-1')
    await run(on)
    expect([jobRow(on, id), attemptRows(on, id)]).toEqual(before)
    expect(vendor.polls.length).toBe(0)
    expectMoney(on, id, { charged: COST, refunded: 0 })
  })

  test('of an earlier attempt cannot speak for the next', async () => {
    vendor.script(fails('unavailable'), pendingForEver(LONG))
    const silent = on.providers[1]
    silent?.script(fails('unavailable'))
    const id = await submit(on)
    await run(on)
    while (vendor.starts.length < 2) {
      on.clock.advance(2 * 60_000)
      await run(on)
    }
    await call(at(0), 'delivery-1')
    await run(on)
    expect(vendor.polls.length).toBe(0)
    expect(jobRow(on, id).status).toBe('running')
  })
})

describe('a callback is a 404', () => {
  test.each([
    ['with another token', (url: Address) => ({ ...url, token: 'AAAAAAAAAAAAAAAAAAAAAA' })],
    ['with the token of another attempt', (url: Address) => ({ ...url, token: at(1).token })],
    ['without a token', (url: Address) => ({ ...url, token: '' })],
    ['for an attempt that never was', (url: Address) => ({ ...url, attempt: 'att_00000000000' })],
    ['for what is no attempt', (url: Address) => ({ ...url, attempt: 'job_00000000000' })],
    ['of another vendor', (url: Address) => ({ ...url, provider: 'without-callbacks' })],
    ['of a vendor that is not here', (url: Address) => ({ ...url, provider: 'nobody' })],
  ])('%s', async (_, forge) => {
    vendor.script(pendingForEver(LONG))
    await submit(on)
    await submit(on)
    await run(on)
    await expectNotFound(call(forge(at(0)), 'delivery-1'))
  })

  test('whose signature is not the vendor’s', async () => {
    vendor.script(pendingForEver(LONG))
    await submit(on)
    await run(on)
    await expectNotFound(call(at(0), 'delivery-1', 'bad'))
  })

  async function expectNotFound(answer: Promise<void>) {
    const error: unknown = await answer.catch(thrown => thrown)
    expect(error).toBeInstanceOf(AppError)
    expect((error as AppError).code).toBe('not_found')
    await run(on)
    expect(vendor.polls.length).toBe(0)
    expect(rows(on, 'SELECT id FROM inbox')).toEqual([])
  }
})

describe('the address that a vendor gets', () => {
  test('is below our public address and differs between attempts', async () => {
    await submit(on)
    await submit(on)
    await run(on)
    const urls = vendor.starts.map(({ context }) => context.callbackUrl ?? '')
    for (const url of urls) {
      expect(url).toMatch(
        /^https:\/\/hub\.example\.com\/callbacks\/fake\/att_[0-9a-z]{11}\/[\w-]{22}$/,
      )
    }
    expect(new Set(urls).size).toBe(2)
  })

  test.each([null, 'http://hub.example.com'])('is none when we are at %p', async publicUrl => {
    const other = await stage({ hub: { config: { publicUrl } } })
    await submit(other)
    await run(other)
    expect(other.provider.starts[0]?.context.callbackUrl).toBeNull()
  })
})

type Address = { provider: string; attempt: string; token: string }

/** The parts of the address that the vendor got with its start number `index`. */
function at(index: number): Address {
  const url = new URL(vendor.starts[index]?.context.callbackUrl ?? '')
  const [, , provider = '', attempt = '', token = ''] = url.pathname.split('/')
  return { provider, attempt, token }
}

async function call(address: Address, eventId: string, signature = 'good'): Promise<void> {
  await receiveCallback(on.deps, {
    ...address,
    readBody: async () => Buffer.from(JSON.stringify({ id: eventId })),
    headers: new Headers({ 'x-fake-signature': signature }),
  })
}
