import type { z } from 'zod'
import type { ErrorCode } from '@/base/errors'
import type { Counts } from './rate-limits'

/**
 * One route, said once: who may call it, what it takes, what it answers. The guard, the validation, the
 * OpenAPI document and the table of routes by kind of key all read this.
 */
export type Operation = {
  method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** As the router writes it: `/api/v1/jobs/:id`. */
  path: string
  /** Reads as a Swift function. */
  id: string
  summary: string
  description?: string
  tag: string
  access: 'public' | Access
  query?: z.ZodObject
  body?: z.ZodType
  /** A POST that works without a body. */
  isBodyOptional?: true
  answers: Record<number, Answer>
  /** Beyond those that its access and its body bring along. */
  errors?: ErrorCode[]
  /** A creation or a move: takes `Idempotency-Key`. */
  isIdempotent?: true
}

export type Access = {
  /** `secret`: a publishable key gets 403. */
  keys: 'any' | 'secret'
  /** `required`: without a user 401; `optional`: a secret key may leave it out; `none`: it does not matter. */
  user: 'required' | 'optional' | 'none'
  counts: Counts
}

export type Answer = {
  description: string
  schema: z.ZodType
  mediaType?: string
  /** The same as CSV, for those who ask for it. */
  isAlsoCsv?: true
}

/** Every operation of the process, filled as the doors are made. */
export function operation<const T extends Operation>(description: T): T {
  return description
}
