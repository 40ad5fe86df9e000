import { afterEach, describe, expect, test } from 'bun:test'
import {
  at,
  bytes,
  done,
  fails,
  failure,
  lost,
  pending,
  pendingForEver,
  picture,
  type Script,
  VENDOR_TEXT,
} from '@test/support/fake-provider'
import type { JobErrorCode } from '@/domain/jobs'
import {
  attemptRows,
  attemptStates,
  balance,
  COST,
  closeStages,
  endedJob,
  expectBlobsMatchRows,
  expectEndedOnce,
  expectMoney,
  jobRow,
  runOut,
  runToEnd,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  viewOf,
} from './stage'

afterEach(closeStages)

const OUTPUT = 'https://vendor.example.com/output.png'
const MISSING = 'https://vendor.example.com/missing.png'

type End = {
  /** Null: succeeded. */
  error: JobErrorCode | null
  attempts: string[]
  /** How often the vendor was asked to begin. */
  starts: number
  cancels?: number
  kinds?: (string | null)[]
}
type Outcome = {
  what: string
  scripts: Script[]
  outcome: End
  /** Where a vendor whose starts may be repeated differs. */
  repeatable?: Partial<End>
}

const FOUR_TIMES = { attempts: ['refused', 'refused', 'refused', 'refused'], starts: 4 }
const plainError: Script = { start: 'fails', error: new TypeError(VENDOR_TEXT) }

const OUTCOMES: Outcome[] = [
  {
    what: 'bytes at once',
    scripts: [done(bytes(picture()))],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'an address at once',
    scripts: [done(at(OUTPUT))],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'text at once',
    scripts: [done({ type: 'text', text: 'a caption' })],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'bytes after three polls',
    scripts: [pending(3, done(bytes(picture())))],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'an address after a poll',
    scripts: [pending(0, done(at(OUTPUT)))],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'a start refused for its content',
    scripts: [fails('rejected', { reason: 'content' })],
    outcome: { error: 'content_rejected', attempts: ['refused'], starts: 1 },
  },
  {
    what: 'a start refused for its input',
    scripts: [fails('rejected', { reason: 'input' })],
    outcome: { error: 'invalid_for_provider', attempts: ['refused'], starts: 1 },
  },
  {
    what: 'content refused by a poll',
    scripts: [pending(2, failure('rejected', { reason: 'content' }))],
    outcome: { error: 'content_rejected', attempts: ['refused'], starts: 1 },
  },
  {
    what: 'unavailable for ever',
    scripts: [fails('unavailable')],
    outcome: { error: 'provider_failed', ...FOUR_TIMES },
  },
  {
    what: 'rate limited for ever',
    scripts: [fails('rate_limited', { retryAfterMs: 7_000 })],
    outcome: { error: 'provider_failed', ...FOUR_TIMES },
  },
  {
    what: 'unavailable in every poll',
    scripts: [pending(1, failure('unavailable'))],
    outcome: { error: 'provider_failed', ...FOUR_TIMES },
  },
  {
    what: 'unavailable three times and then bytes',
    scripts: [
      fails('unavailable'),
      fails('unavailable'),
      fails('unavailable'),
      done(bytes(picture())),
    ],
    outcome: {
      error: null,
      attempts: ['refused', 'refused', 'refused', 'succeeded'],
      starts: 4,
    },
  },
  {
    what: 'a poll that tells nothing, a rate limit of polls, and then bytes',
    scripts: [
      {
        start: 'pending',
        pollAfterMs: 1_000,
        polls: [
          failure('unknown_outcome'),
          failure('rate_limited', { retryAfterMs: 9_000 }),
          done(bytes(picture())).done,
        ],
      },
    ],
    outcome: { error: null, attempts: ['succeeded'], starts: 1 },
  },
  {
    what: 'never done',
    scripts: [pendingForEver(20_000)],
    outcome: { error: 'timeout', attempts: ['failed'], starts: 1, cancels: 1 },
  },
  {
    what: 'a start without an answer',
    scripts: [lost(done(bytes(picture())))],
    outcome: { error: 'timeout', attempts: ['unknown'], starts: 1, kinds: ['unknown_outcome'] },
    repeatable: {
      error: 'provider_failed',
      ...FOUR_TIMES,
      kinds: Array(4).fill('unknown_outcome'),
    },
  },
  {
    what: 'an adapter that throws what is no ProviderError',
    scripts: [plainError],
    outcome: { error: 'timeout', attempts: ['unknown'], starts: 1, kinds: ['unknown_outcome'] },
    repeatable: {
      error: 'provider_failed',
      ...FOUR_TIMES,
      kinds: Array(4).fill('unknown_outcome'),
    },
  },
  {
    what: 'done with nothing',
    scripts: [done()],
    outcome: { error: 'output_unusable', attempts: ['failed'], starts: 1 },
  },
  {
    what: 'done with something that is no picture',
    scripts: [done(bytes(Buffer.from('<html>an error page</html>')))],
    outcome: { error: 'output_unusable', attempts: ['failed'], starts: 1 },
  },
  {
    what: 'an address where nothing ever is',
    scripts: [done(at(MISSING))],
    outcome: { error: 'output_unusable', attempts: ['failed'], starts: 1 },
    repeatable: { starts: 6 },
  },
]

for (const startIsRepeatable of [false, true]) {
  const vendor = startIsRepeatable ? 'a vendor with repeatable starts' : 'a vendor'
  describe(`${vendor}: one debit, at most one refund, one end for`, () => {
    for (const { what, scripts, outcome, repeatable } of OUTCOMES) {
      test(what, async () => {
        const on = await stage({ provider: { startIsRepeatable } })
        on.web.serve(OUTPUT, picture())
        on.web.serve(MISSING, 404)
        on.provider.script(...scripts)
        const end = startIsRepeatable ? { ...outcome, ...repeatable } : outcome

        const id = await submit(on)
        expect(balance(on)).toEqual({ available: START_TOKENS - COST, reserved: COST })
        await runToEnd(on, id)
        await expectEnd(on, id, end)

        await runOut(on)
        expectEndedOnce(on, id, end.error === null ? 'job.completed' : 'job.failed')
        await expectBlobsMatchRows(on)
      })
    }
  })
}

async function expectEnd(on: Stage, id: Awaited<ReturnType<typeof submit>>, end: End) {
  const job = jobRow(on, id)
  const succeeded = end.error === null
  expect(job).toMatchObject({
    status: succeeded ? 'succeeded' : 'failed',
    error_code: end.error,
    attempts: end.attempts.length,
    provider_used: 'fake',
  })
  expect(attemptStates(on, id)).toEqual(end.attempts)
  if (end.kinds) expect(attemptRows(on, id).map(row => row.error_kind)).toEqual(end.kinds)
  expect(on.provider.starts.length).toBe(end.starts)
  expect(on.provider.cancels.length).toBe(end.cancels ?? 0)
  expect(viewOf(on, id).outputs.length).toBe(succeeded ? 1 : 0)
  expectMoney(on, id, { charged: COST, refunded: succeeded ? 0 : COST })
  expect(balance(on)).toEqual({
    available: START_TOKENS - (succeeded ? COST : 0),
    reserved: 0,
  })
  const told = endedJob(on, id)
  expect(told.error ?? '').not.toContain(VENDOR_TEXT)
  expect(told.error === null).toBe(succeeded)
  expect(told.isRetryable).toBe(end.error === null ? null : RETRYABLE[end.error])
}

const RETRYABLE: Record<JobErrorCode, boolean> = {
  content_rejected: false,
  invalid_for_provider: false,
  provider_failed: true,
  timeout: true,
  output_unusable: true,
  internal: true,
}
