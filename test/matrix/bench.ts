import type { Provider } from '@/providers/spec'

/** A vendor under test: its true adapter, a good job at it, and its own words for each kind of no. */
export type Bench = {
  /** Of the row in the table. */
  label: string
  /** Of the adapter, as registered. */
  provider: string
  keyVariable: string
  /** The one that its server takes. */
  key: string
  /** A job that it can do. */
  job: { kind: string; providerModel: string }
  /** How long it is left alone before it is asked for the first time; null where a start answers all. */
  firstPollMs: number | null
  /** Where it puts what it makes; null where that comes by its own API. */
  fileHost: string | null
  /** How long a good job takes there. */
  doneMs: number
  /** How long a rate limit without a date keeps the hub from it; null where that is the hub's to say. */
  usualWaitMs: number | null
  /** What a 500 in answer to a start says of it: nothing began, or nobody can know. */
  serverErrorMeans: 'unavailable' | 'unknown'
  /** The same of its error inside an answer that looks like a success. */
  errorInsideMeans: 'unavailable' | 'unknown'
  /** A start whose answer was lost is found there by the address to call back. */
  canFind: boolean
  adapter(baseUrl: string): Provider
  /** Its server on a free port, where every job ends so, and as soon as it can. */
  open(end: End): OpenVendor
  isStart(method: string, path: string): boolean
  isPoll(method: string, path: string): boolean
  /** The adapter's option, given where the server is found. */
  baseUrl(origin: string): string
}

/** An answer with a status other than the good one, in the vendor's own form. */
export type Refusal = 'server error' | 'too many'

/** Well, with an error that has the status of a success, or because of what the job is about. */
export type End = 'well' | 'error' | 'blocked'

export type OpenVendor = {
  port: number
  /** Calls that begin something, whatever they were answered. */
  starts(): number
  /** The first start is answered so, and the next ones are served. */
  refuseStart(refusal: Refusal, headers?: Record<string, string>): void
  /** The first question about the job is answered so; only where there are questions. */
  refusePoll(refusal: Refusal, headers?: Record<string, string>): void
  /** What comes inline has this content; only where results come inline. */
  makePicture(base64: string): void
  close(): Promise<void>
}

/** For what a vendor does not have. */
export function never(): never {
  throw new Error('this vendor has no such thing')
}

export function portOf(address: string): number {
  return Number(new URL(address).port)
}
