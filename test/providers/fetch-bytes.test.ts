import { describe, expect, test } from 'bun:test'
import { FetchFailure } from '@/base/safe-fetch'
import { fetchBytes } from '@/providers/fetch-bytes'
import type { ProviderContext } from '@/providers/spec'

const URL_OF_FILE = 'https://files.example/a'
const { signal } = new AbortController()

function answering(response: Response): Pick<ProviderContext, 'fetch' | 'signal'> {
  return { signal, fetch: async () => response }
}

describe('a file', () => {
  test('comes as bytes, asked for with the limits that were given and the signal', async () => {
    const asked: unknown[] = []
    const ctx = {
      signal,
      async fetch(...call: unknown[]) {
        asked.push(call)
        return new Response(Uint8Array.from([1, 2]))
      },
    }
    const { status, bytes } = await fetchBytes(ctx, URL_OF_FILE, { maxBytes: 7, timeoutMs: 8 })
    expect([status, bytes]).toEqual([200, Uint8Array.from([1, 2])])
    expect(asked).toEqual([[URL_OF_FILE, { maxBytes: 7, timeoutMs: 8, signal }]])
  })

  test.each([302, 404, 500])('with status %d is none, and its body is let go', async status => {
    let isLetGo = false
    const body = new ReadableStream({
      cancel() {
        isLetGo = true
      },
    })
    const response = new Response(body, { status, headers: { location: '/b' } })
    expect(await fetchBytes(answering(response), URL_OF_FILE, {})).toEqual({
      status,
      location: '/b',
      bytes: null,
    })
    expect(isLetGo).toBe(true)
  })

  test('that breaks off is thrown as it broke', async () => {
    const broken = new FetchFailure('timeout', true)
    const body = new ReadableStream({ pull: stream => stream.error(broken) })
    await expect(fetchBytes(answering(new Response(body)), URL_OF_FILE, {})).rejects.toBe(broken)
  })
})

describe('whoever stops waiting learns nothing', () => {
  const UNKNOWN = { kind: 'unknown_outcome' }

  test('before the call, which is then not made', async () => {
    let calls = 0
    const ctx = {
      signal: AbortSignal.abort(),
      async fetch() {
        calls++
        return new Response()
      },
    }
    await expect(fetchBytes(ctx, URL_OF_FILE, {})).rejects.toMatchObject(UNKNOWN)
    expect(calls).toBe(0)
  })

  test('in the middle of it', async () => {
    const controller = new AbortController()
    const ctx = {
      signal: controller.signal,
      fetch() {
        controller.abort()
        return Promise.reject(new FetchFailure('aborted', false))
      },
    }
    await expect(fetchBytes(ctx, URL_OF_FILE, {})).rejects.toMatchObject(UNKNOWN)
  })
})
