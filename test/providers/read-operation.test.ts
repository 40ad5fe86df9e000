import { expect, test } from 'bun:test'
import { z } from 'zod'
import { ProviderError } from '@/providers/errors'
import { readOperation } from '@/providers/read-operation'
import type { Operation } from '@/providers/spec'

const Kept = z.object({ id: z.string() })

test('one of ours is read, with nothing that is not ours', () => {
  expect(readOperation('Vendor', Kept, { id: 'x', more: 1 })).toEqual({ id: 'x' })
})

test.each<Operation>([{}, { id: 7 }, { ids: ['x'] }])('%j can never be asked about', operation => {
  const read = () => readOperation('Vendor', Kept, operation)
  expect(read).toThrow(ProviderError)
  expect(read).toThrow('this is no operation of Vendor')
  try {
    read()
  } catch (error) {
    expect(error).toMatchObject({ kind: 'unknown_outcome' })
  }
})
