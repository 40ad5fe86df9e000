import { afterEach, describe, expect, test } from 'bun:test'
import { type DrawRequest, draw } from '@/threads/draw'
import { createThreads, type Threads, type ThreadsOptions } from '@/threads/pool'

const UNRULY = new URL('./unruly-worker.ts', import.meta.url)
let open: Threads | null = null

afterEach(async () => {
  await open?.close()
  open = null
})

function threads(options: ThreadsOptions = {}): Threads {
  open = createThreads(options)
  return open
}

function request(prompt: string): DrawRequest {
  return { prompt, seed: 1, width: 64, height: 48, format: 'png', index: 0 }
}

/** What `run` came to: the value, or the error's words. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  return await promise.catch((error: unknown) => {
    const { name, message } = error as Error
    return `${name}: ${message}`
  })
}

/** How many threads are started while `act` runs. */
async function startedDuring(act: () => Promise<unknown>): Promise<number> {
  let count = 0
  const onWorker = () => void count++
  process.on('worker', onWorker)
  try {
    await act()
  } finally {
    process.off('worker', onWorker)
  }
  return count
}

describe('a thread', () => {
  test('makes what the function makes', async () => {
    const there = await threads().run('draw', request('the same bytes'))
    expect(there).toEqual(await draw(request('the same bytes')))
  })

  test('is started by the first task, not before, and serves the next ones', async () => {
    expect(await startedDuring(async () => threads())).toBe(0)
    const draw = (prompt: string) => open?.run('draw', request(prompt))
    expect(await startedDuring(async () => await draw('first'))).toBe(1)
    expect(await startedDuring(() => Promise.all(['a', 'b', 'c'].map(draw)))).toBe(0)
  })

  test('is joined by others up to the size', async () => {
    const pool = threads({ size: 2, entry: UNRULY })
    const prompts = ['a', 'b', 'c', 'd']
    const started = await startedDuring(async () => {
      const all = prompts.map(each => pool.run('draw', request(each)))
      expect(await Promise.all(all)).toEqual(prompts as never)
    })
    expect(started).toBe(2)
  })

  test('that a task throws in goes on', async () => {
    const pool = threads()
    await pool.run('draw', request('warm'))
    const tooLarge = { ...request('too large'), width: 5_000 }
    const started = await startedDuring(async () => {
      expect(await outcome(pool.run('draw', tooLarge))).toStartWith('ThreadError: RangeError')
      expect(await pool.run('draw', request('fine'))).toMatchObject({ width: 64, height: 48 })
    })
    expect(started).toBe(0)
  })

  test.each(['crash', 'exit'])('that dies by %s takes its own task only', async how => {
    const pool = threads({ entry: UNRULY })
    const started = await startedDuring(async () => {
      const all = ['before', how, 'after', how, 'last'].map(each => pool.run('draw', request(each)))
      const [before, first, after, second, last] = await Promise.all(all.map(outcome))
      expect([before, after, last]).toEqual(['before', 'after', 'last'])
      for (const died of [first, second]) expect(died).toStartWith('ThreadError: ')
    })
    expect(started).toBe(3)
  })

  test('that cannot start fails its tasks one by one', async () => {
    const pool = threads({ entry: new URL('./no-such-worker.ts', import.meta.url) })
    const all = ['a', 'b'].map(each => outcome(pool.run('draw', request(each))))
    for (const failed of await Promise.all(all)) expect(failed).toStartWith('ThreadError: ')
  })

  test('that answers twice does not answer the next task', async () => {
    const pool = threads({ entry: UNRULY })
    const all = ['two answers', 'mine'].map(each => pool.run('draw', request(each)))
    expect(await Promise.all(all)).toEqual(['first', 'mine'] as never)
  })

  test('never keeps a process alive', async () => {
    const script = new URL('./forgets-to-close.ts', import.meta.url).pathname
    const child = Bun.spawn([process.execPath, script], { stdout: 'pipe', stderr: 'pipe' })
    const [code, output] = await Promise.all([child.exited, child.stdout.text()])
    expect([code, output]).toEqual([0, 'image/png\n'])
  })
})

describe('the queue', () => {
  test('is bounded, and a refused task takes no room', async () => {
    const pool = threads({ entry: UNRULY, queueLimit: 2 })
    const taken = ['a', 'b', 'c'].map(each => pool.run('draw', request(each)))
    expect(await outcome(pool.run('draw', request('d')))).toStartWith(
      'AppError: The server is busy',
    )
    expect(await Promise.all(taken)).toEqual(['a', 'b', 'c'] as never)
    expect(await pool.run('draw', request('e'))).toBe('e' as never)
  })

  test('takes nothing that cannot be sent, and goes on', async () => {
    const pool = threads({ entry: UNRULY })
    const unsendable = { ...request('x'), seed: (() => 1) as unknown as number }
    expect(await outcome(pool.run('draw', unsendable))).toContain('DataCloneError')
    expect(await pool.run('draw', request('y'))).toBe('y' as never)
  })
})

describe('an abort', () => {
  test('before the call starts nothing', async () => {
    const pool = threads({ entry: UNRULY })
    const signal = AbortSignal.abort(new Error('gone'))
    const started = await startedDuring(async () => {
      expect(await outcome(pool.run('draw', request('a'), signal))).toBe('Error: gone')
    })
    expect(started).toBe(0)
  })

  test('of a waiting task frees its place', async () => {
    const pool = threads({ entry: UNRULY, queueLimit: 1 })
    const controller = new AbortController()
    const first = pool.run('draw', request('first'))
    const waiting = outcome(pool.run('draw', request('waiting'), controller.signal))
    controller.abort(new Error('gone'))
    const next = pool.run('draw', request('next'))
    expect(await waiting).toBe('Error: gone')
    expect(await Promise.all([first, next])).toEqual(['first', 'next'] as never)
  })

  test.each(['spin', 'never answer'])('of a task that does %s stops and replaces it', async how => {
    const pool = threads({ entry: UNRULY, stopGraceMs: 5 })
    await pool.run('draw', request('warm'))
    const controller = new AbortController()
    const started = await startedDuring(async () => {
      const hung = outcome(pool.run('draw', request(how), controller.signal))
      const next = pool.run('draw', request('next'))
      controller.abort(new Error('gone'))
      expect(await hung).toBe('Error: gone')
      expect(await next).toBe('next' as never)
    })
    expect(started).toBe(1)
  })

  test('of a task that ends by itself keeps its thread', async () => {
    const pool = threads({ stopGraceMs: 60_000 })
    await pool.run('draw', request('warm'))
    const controller = new AbortController()
    const started = await startedDuring(async () => {
      const dropped = outcome(pool.run('draw', request('dropped'), controller.signal))
      controller.abort(new Error('gone'))
      expect(await dropped).toBe('Error: gone')
      expect(await pool.run('draw', request('next'))).toEqual(await draw(request('next')))
    })
    expect(started).toBe(0)
  })

  test('after the end changes nothing', async () => {
    const pool = threads({ entry: UNRULY })
    const controller = new AbortController()
    expect(await pool.run('draw', request('a'), controller.signal)).toBe('a' as never)
    controller.abort()
    expect(await pool.run('draw', request('b'))).toBe('b' as never)
  })
})

describe('closing', () => {
  test('ends what runs and what waits, and takes nothing more', async () => {
    const pool = threads({ entry: UNRULY })
    const all = ['spin', 'waits'].map(each => outcome(pool.run('draw', request(each))))
    await pool.close()
    await pool.close()
    all.push(outcome(pool.run('draw', request('late'))))
    for (const ended of await Promise.all(all)) {
      expect(ended).toStartWith('AppError: The server is restarting')
    }
  })
})
