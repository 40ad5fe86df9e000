import { bytes, done, fails, picture, type Script } from '@test/support/fake-provider'
import type { Trouble } from '@test/support/toxic'
import { SECOND } from '@/base/clock'
import type { Bench, End, OpenVendor } from './bench'
import { FILE_BYTES, PICTURE } from './files'

/** One kind of fault, the same for every vendor, and what each vendor's nature makes of it. */
export type Column = {
  name: string
  /** The hub can be called from outside, so that a lost start can be found by that address. */
  isReachable?: true
  /** Every vendor has withdrawn the key that we have. */
  hasWrongKeys?: true
  /** Null where a vendor has no such moment. `random` is 0 to 1 and the seed's. */
  cell(bench: Bench, random: () => number): Cell | null
}

export type Cell = {
  end?: End
  arrange?: (vendor: OpenVendor) => void
  /** Nobody listens where the vendor is said to be. */
  isGone?: true
  /** Befalls the first of these calls. */
  trouble?: { with: 'start' | 'poll' | 'file'; is: Trouble }
  bytesPerSecond?: number
  /** What another vendor does, start by start; null: there is no other. */
  other: Script[] | null
  deadlineSeconds: number
  expected: Expected
  /** A second job of the same model, asked for when the first has ended. */
  next?: Pick<Expected, 'status' | 'attempts'>
}

export type Expected = {
  status: 'succeeded' | 'failed'
  errorCode: string | null
  /** `it` is the vendor under test, `other` the healthy one. */
  attempts: string[]
  /** In all, those of the second job included. */
  vendorStarts: number
  otherStarts: number
  /** From the submission to the end. */
  fromMs: number
  toMs: number
}

/** What a busy machine of two cores may add to any of these times. */
const SLACK_MS = 4_000
/** The hub's own, after a question that told nothing. */
const ASKED_AGAIN_MS = 5 * SECOND
/** The hub's own, before it looks for a start whose answer was lost, and what it then leaves the vendor. */
const LOOKED_FOR_MS = 10 * SECOND
const FOUND_POLL_MS = 2 * SECOND
/** The hub's own pauses before a second try, at most. */
const PAUSE_MS = SECOND
/** What a question that was asked just before the deadline may take. */
const LAST_QUESTION_MS = 5 * SECOND
/** How long a lost start is waited for in these tests. */
const SHORT_DEADLINE_S = 3
const DATE_S = 3
/** A date that nobody in a test lives to see. */
const LATE_S = 600
const GOOD = done(bytes(picture()))
const SLOW_BYTES_PER_SECOND = 256_000 / 8
/** As base64 it takes a third longer. */
const FILE_MS = (FILE_BYTES / SLOW_BYTES_PER_SECOND) * SECOND
const DATED = { 'retry-after': `${DATE_S}` }
const DATED_LATE = { 'retry-after': `${LATE_S}` }

export const COLUMNS: readonly Column[] = [
  { name: 'no fault', cell: bench => served(bench, 1, { toMs: bench.doneMs }) },
  {
    name: 'refuses connections',
    cell: bench => ({ ...otherServes(bench, 0), isGone: true }),
  },
  { name: 'start: no answer', cell: () => withStart(lost(), { does: 'silent' }) },
  {
    name: 'start: reset in mid-body',
    cell: (_, random) => withStart(lost(), { does: 'cut', part: random() }),
  },
  {
    name: 'start: reset in mid-body, found later',
    isReachable: true,
    cell: (bench, random) =>
      bench.canFind
        ? {
            ...withStart(
              served(bench, 1, { fromMs: LOOKED_FOR_MS, toMs: LOOKED_FOR_MS + FOUND_POLL_MS }),
              { does: 'cut', part: random() },
            ),
            deadlineSeconds: (LOOKED_FOR_MS + FOUND_POLL_MS) / SECOND + 4,
          }
        : null,
  },
  { name: 'start: bad JSON', cell: () => withStart(lost(), { does: 'garbled' }) },
  {
    name: 'start: 500',
    cell: bench => ({
      ...(bench.serverErrorMeans === 'unknown' ? lost() : otherServes(bench, 1)),
      arrange: vendor => vendor.refuseStart('server error'),
    }),
  },
  {
    name: 'start: 429 until a date',
    cell: bench => ({
      ...otherServes(bench, 1),
      arrange: vendor => vendor.refuseStart('too many', DATED_LATE),
      expected: { ...otherServes(bench, 1).expected, otherStarts: 2 },
      next: { status: 'succeeded', attempts: ['other succeeded'] },
    }),
  },
  {
    name: 'start: 429',
    cell: bench => ({
      ...otherServes(bench, 1),
      arrange: vendor => vendor.refuseStart('too many'),
    }),
  },
  {
    name: 'start: 429 until a date, nobody else',
    cell: bench => triedAgain(bench, DATED, DATE_S * SECOND, DATE_S * SECOND),
  },
  {
    name: 'start: 429, nobody else',
    cell: bench => triedAgain(bench, {}, bench.usualWaitMs ?? 0, bench.usualWaitMs ?? PAUSE_MS),
  },
  {
    name: '401',
    hasWrongKeys: true,
    // The other one has a bad moment: not even then is this one asked again.
    cell: bench => ({
      ...otherServes(bench, 1),
      other: [fails('unavailable'), GOOD],
      expected: {
        ...otherServes(bench, 1).expected,
        attempts: ['it refused', 'other refused', 'other succeeded'],
        otherStarts: 2,
        toMs: 2 * PAUSE_MS + SLACK_MS,
      },
    }),
  },
  {
    name: '200 with an error inside',
    cell: bench => ({
      ...(bench.errorInsideMeans === 'unknown' ? lost() : otherServes(bench, 1, bench.doneMs)),
      end: 'error',
    }),
  },
  {
    name: 'content block',
    cell: bench => ({
      ...served(bench, 1, { toMs: bench.doneMs }),
      end: 'blocked',
      expected: {
        ...served(bench, 1, { toMs: bench.doneMs }).expected,
        status: 'failed',
        errorCode: 'content_rejected',
        attempts: ['it refused'],
      },
    }),
  },
  { name: 'poll: no answer', cell: bench => heldUp(bench) },
  {
    name: 'poll: reset in mid-body',
    cell: (bench, random) => askedAgain(bench, { does: 'cut', part: random() }),
  },
  { name: 'poll: bad JSON', cell: bench => askedAgain(bench, { does: 'garbled' }) },
  {
    name: 'poll: 500',
    cell: bench => askedAgain(bench, null, vendor => vendor.refusePoll('server error')),
  },
  {
    name: 'poll: 429 until a date',
    cell: bench =>
      askedAgain(bench, null, vendor => vendor.refusePoll('too many', DATED), DATE_S * SECOND),
  },
  {
    name: 'file: reset in mid-body',
    cell: (bench, random) =>
      bench.fileHost === null
        ? null
        : {
            ...served(bench, 1, { toMs: bench.doneMs + PAUSE_MS }),
            trouble: { with: 'file', is: { does: 'cut', part: random() } },
          },
  },
  {
    name: '256 kbit/s',
    cell: bench =>
      bench.fileHost === null && bench.firstPollMs !== null
        ? null
        : {
            ...served(bench, 1, { fromMs: FILE_MS, toMs: bench.doneMs + 2 * FILE_MS }),
            bytesPerSecond: SLOW_BYTES_PER_SECOND,
            ...inlinePicture(bench),
          },
  },
  {
    name: '256 kbit/s, beyond the deadline',
    cell: bench =>
      bench.firstPollMs === null
        ? { ...lost(1), ...inlinePicture(bench), bytesPerSecond: SLOW_BYTES_PER_SECOND }
        : null,
  },
]

/** The vendor itself makes it, asked to begin this often. */
function served(
  bench: Bench,
  vendorStarts: number,
  { fromMs = 0, toMs }: { fromMs?: number; toMs: number },
): Cell {
  return {
    other: [GOOD],
    deadlineSeconds: Math.ceil((bench.doneMs + ASKED_AGAIN_MS) / SECOND) + 4,
    expected: {
      status: 'succeeded',
      errorCode: null,
      attempts: ['it succeeded'],
      vendorStarts,
      otherStarts: 0,
      fromMs,
      toMs: toMs + SLACK_MS,
    },
  }
}

/** Nothing has begun there, or it has ended: the other one makes it at once. */
function otherServes(bench: Bench, vendorStarts: number, afterMs = 0): Cell {
  const cell = served(bench, vendorStarts, { toMs: afterMs })
  const attempts = ['it refused', 'other succeeded']
  return { ...cell, expected: { ...cell.expected, attempts, otherStarts: 1 } }
}

/** It may have begun: nobody else is asked, and the tokens go back at the deadline. */
function lost(deadlineSeconds = SHORT_DEADLINE_S): Cell {
  const deadlineMs = deadlineSeconds * SECOND
  return {
    other: [GOOD],
    deadlineSeconds,
    expected: {
      status: 'failed',
      errorCode: 'timeout',
      attempts: ['it unknown'],
      vendorStarts: 1,
      otherStarts: 0,
      fromMs: deadlineMs,
      toMs: deadlineMs + SLACK_MS,
    },
  }
}

function withStart(cell: Cell, is: Trouble): Cell {
  return { ...cell, trouble: { with: 'start', is } }
}

/** Nobody else could serve: it is asked to begin again, not before its time. */
function triedAgain(
  bench: Bench,
  headers: Record<string, string>,
  fromMs: number,
  toMs: number,
): Cell {
  const cell = served(bench, 2, { fromMs, toMs: toMs + bench.doneMs })
  return {
    ...cell,
    other: null,
    arrange: vendor => vendor.refuseStart('too many', headers),
    expected: { ...cell.expected, attempts: ['it refused', 'it succeeded'] },
  }
}

/** It is known to be there, so it is only asked about again. */
function askedAgain(
  bench: Bench,
  is: Trouble | null,
  arrange?: Cell['arrange'],
  afterMs = ASKED_AGAIN_MS,
): Cell | null {
  if (bench.firstPollMs === null) return null
  const fromMs = bench.firstPollMs + afterMs
  return {
    ...served(bench, 1, { fromMs, toMs: bench.doneMs + afterMs }),
    ...(is ? { trouble: { with: 'poll', is } } : {}),
    ...(arrange ? { arrange } : {}),
  }
}

/** A question without an answer keeps nobody waiting for long beyond the deadline. */
function heldUp(bench: Bench): Cell | null {
  if (bench.firstPollMs === null) return null
  const cell = lost(bench.firstPollMs / SECOND + 2)
  return {
    ...cell,
    trouble: { with: 'poll', is: { does: 'silent' } },
    expected: {
      ...cell.expected,
      attempts: ['it failed'],
      toMs: cell.expected.toMs + LAST_QUESTION_MS,
    },
  }
}

function inlinePicture(bench: Bench): Pick<Cell, 'arrange'> {
  return bench.firstPollMs === null
    ? { arrange: vendor => vendor.makePicture(PICTURE.toBase64()) }
    : {}
}
