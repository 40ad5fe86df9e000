import { expect, test } from 'bun:test'
import { imageInput } from '@test/support/conformance'
import { z } from 'zod'
import { checkParams } from '@/providers/check-params'
import { ProviderError } from '@/providers/errors'
import type { ProviderInput } from '@/providers/spec'

const Params = z.strictObject({ style: z.string().exactOptional(), seed: z.int().exactOptional() })

function refusalOf(params: ProviderInput['params'], reserved?: Set<string>): ProviderError | null {
  try {
    checkParams('Vendor', Params, imageInput({ params }), reserved)
    return null
  } catch (error) {
    if (error instanceof ProviderError) return error
    throw error
  }
}

test('what the vendor takes is taken, unless we set it', () => {
  expect(refusalOf({})).toBeNull()
  expect(refusalOf({ style: 'x', seed: 1 }, new Set(['quality']))).toBeNull()
  const error = refusalOf({ style: 'x', seed: 1 }, new Set(['seed', 'style', 'quality']))
  expect(error).toMatchObject({ kind: 'rejected', reason: 'input', isPermanent: true })
  expect(error?.message).toBe('not for Vendor: style, seed: set by the hub')
})

test('what it does not take is refused, and named', () => {
  const error = refusalOf({ webhook: 'https://mine.example' })
  expect(error).toMatchObject({ kind: 'rejected', reason: 'input' })
  expect(error?.message).toContain('webhook')
  expect(refusalOf({ seed: 'x' })).toMatchObject({ kind: 'rejected' })
})
