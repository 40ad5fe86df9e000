import type { ZodType } from 'zod'

/**
 * What a provider is to us. An adapter is a plain value of type `Provider`: no database, no pricing, no
 * framework. A capability is present or absent, so callers ask `provider.cancel?.(...)` and never a flag.
 *
 * The life of one attempt: `start` answers `done` (the outputs are here) or `pending` (with an `operation`
 * that we store before anything else happens); `poll(operation)` is asked until it answers `done` or throws.
 */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** What we ask for. Checked by the model's own input schema before it gets here. */
export type ProviderInput = {
  /** The vendor's own name of the model, from the route. */
  providerModel: string
  kind: string
  prompt: string | null
  /**
   * Pictures, each of them either an https address, which anybody may fetch, or a picture in hand:
   * `data:image/(png|jpeg|webp);base64,...`, of at most 100 MiB, with the bytes of what it says. A vendor that
   * can fetch only is `unavailable` for one in hand. Nothing of its content comes into an operation or into
   * the message of an error.
   */
  images: string[]
  aspectRatio: string | null
  numOutputs: number
  outputFormat: 'png' | 'jpeg' | 'webp' | null
  /** Further fields of the model's input schema: seed, negative_prompt, resolution, duration_seconds, ... */
  extra: { [key: string]: Json }
  /** The caller's `input.provider_params[<provider name>]`; can never overwrite what we set. */
  params: { [key: string]: Json }
  /** How this model is asked for at this vendor: data of the route, changed without a release. */
  config: RouteConfig
}

/** Our words into a vendor's. Everything is optional: a vendor with one fixed form needs none of it. */
export type RouteConfig = {
  /** Another vendor model where pictures are given: edit endpoints are often models of their own. */
  with_images_model?: string
  /** Names that differ where pictures are given: laid over `fields`, in the same words. */
  with_images_fields?: { [ours: string]: string | null }
  /**
   * Our field -> the vendor's. Fields of ours: prompt, images, aspect_ratio, num_outputs, output_format, and
   * those of the model's own input schema. How the value is written stands behind the name:
   * - `image_urls[]`      a list; without it a list becomes its first
   * - `duration:text`     a number as text, `"5"`
   * - `duration:seconds`  a number with its unit, `"5s"`
   * `...` alone puts the members of an object into the body, as `{width, height}` of an aspect ratio, and
   * `null` leaves the field out.
   */
  fields?: { [ours: string]: string | null }
  /**
   * Our aspect ratio -> what the vendor takes: a word, or an object such as `{width, height}`; `null` leaves
   * the field out.
   */
  aspect_ratios?: { [ratio: string]: Json }
  output_formats?: { [format: string]: string }
  /** Sent with every call; no parameter of the caller's overwrites it. */
  constants?: { [key: string]: Json }
  /** How many one call makes; more outputs are several calls. Absent: as many as asked. */
  outputs_per_call?: number
  /** For cost, where the vendor does not tell: micro-USD. */
  cost?: { per_output?: number; per_second?: number; per_call?: number }
  /** How long this vendor may take for it, where the usual time of the kind does not fit. */
  deadline_seconds?: number
}

export type ProviderContext = {
  /** Guarded: https only, no private addresses, bounded in bytes and time. */
  fetch: (url: string, init?: ProviderFetchInit) => Promise<Response>
  apiKey: string | null
  /** What the vendor signs its callbacks with, where an operator has to copy it from there. */
  webhookSecret: string | null
  signal: AbortSignal
  /** Our public id of the attempt: unique, sent to the vendor where it takes a reference. */
  reference: string
  /** 1-based; counts the attempts of this job over all providers. */
  attemptNumber: number
  /** Where the vendor may call back for this attempt; null when we are not reachable from outside. */
  callbackUrl: string | null
  nowMs: number
  /** When the hub gives this attempt up. */
  deadlineMs: number
}

export type ProviderFetchInit = {
  method?: string
  headers?: Record<string, string>
  body?: string | Uint8Array | FormData
  timeoutMs?: number
  maxBytes?: number
  signal?: AbortSignal
}

/** The vendor's handle of a running job, opaque to everyone but the adapter that made it. Stored as JSON. */
export type Operation = { [key: string]: Json }

export type Output =
  | { type: 'file'; bytes: Uint8Array; contentType: string | null }
  | { type: 'file'; url: string; contentType: string | null }
  | { type: 'text'; text: string }
  | { type: 'json'; value: Json }

/** Measured by the vendor, where it tells. */
export type ProviderUsage = {
  inputTokens?: number
  outputTokens?: number
  seconds?: number
  costMicroUsd?: number
}

export type Done = { state: 'done'; outputs: Output[]; usage?: ProviderUsage }
export type Pending = {
  state: 'pending'
  operation: Operation
  pollAfterMs: number
  /** 0 to 99, where the vendor tells. */
  progress?: number
}
export type StartResult = Done | Pending

/** What a callback says: which operation, and that polling now is worth it. Its body is never the result. */
export type CallbackHint = { eventId: string; isFinal: boolean }

export type CallbackContext = Pick<ProviderContext, 'nowMs' | 'apiKey' | 'webhookSecret' | 'fetch'>

export type Provider = {
  name: string
  /** Needs no key of ours. */
  isKeyless?: true
  /** Checks `input.provider_params[name]` at submit. Absent: any JSON object. */
  params?: ZodType
  /** The vendor deduplicates or starts are free: a start whose answer was lost may simply be repeated. */
  startIsRepeatable?: true
  /** How often the vendor lets one account ask how things stand, with room for other calls. Absent: not told. */
  pollsPerMinute?: number
  start(input: ProviderInput, ctx: ProviderContext): Promise<StartResult>
  /**
   * Throws `rejected` or `unavailable` when the operation has ended without a result; `rate_limited` and
   * `unknown_outcome` say nothing about it: ask again. A vendor's 503 on a poll is never `unavailable`.
   */
  poll?(operation: Operation, ctx: ProviderContext): Promise<StartResult>
  /** Best effort: resolves when the vendor took note. */
  cancel?(operation: Operation, ctx: ProviderContext): Promise<void>
  /** Verifies and reads a callback; throws ProviderError('rejected') when it is forged or old. */
  parseCallback?(rawBody: Uint8Array, headers: Headers, ctx: CallbackContext): Promise<CallbackHint>
  /** Finds what a lost start may have begun, by our reference; null when the vendor knows nothing of it. */
  find?(reference: string, ctx: ProviderContext, input: ProviderInput): Promise<StartResult | null>
  stream?(input: ProviderInput, ctx: ProviderContext): AsyncIterable<Output | Done>
  /** The vendor's cheapest call that proves the key. */
  check?(ctx: ProviderContext): Promise<void>
}
