import { AppError } from '@/base/errors'
import type { ThreadAnswer, ThreadKind, ThreadPayload, ThreadRequest, ThreadResult } from './tasks'

export type Threads = {
  /**
   * Runs one task on a thread; tasks start in the order they came. The payload is copied, the
   * buffers of the result are handed over.
   *
   * Rejects with AppError `busy` when the queue is full, AppError `shutting_down` after `close`,
   * ThreadError when the task threw or its thread died, and with the signal's reason when that
   * fires first. An aborted task gets a moment to end by itself, then its thread is stopped and
   * replaced.
   */
  run<K extends ThreadKind>(
    kind: K,
    payload: ThreadPayload<K>,
    signal?: AbortSignal,
  ): Promise<ThreadResult<K>>
  /** Stops all threads; what ran or waited rejects with `shutting_down`. May be called twice. */
  close(): Promise<void>
}

export type ThreadsOptions = {
  /** The most threads at a time; the first is started by the first task. */
  size?: number
  /** The most tasks that may wait. */
  queueLimit?: number
  /** Another entry point that speaks the same messages. */
  entry?: URL
  stopGraceMs?: number
}

/**
 * `failed`: the task threw. `crashed`: the thread died under it, and whether it did something is
 * unknown.
 */
export class ThreadError extends Error {
  override readonly name = 'ThreadError'

  constructor(
    readonly reason: 'failed' | 'crashed',
    message: string,
  ) {
    super(message)
  }
}

/**
 * One thread: on two cores the other one belongs to the loop that answers everybody. Beside a busy
 * loop a second thread drew up to half as much again and took up to a fifth of the loop's turns.
 */
const DEFAULT_SIZE = 1
/** About ten seconds of drawing: who would wait longer is better told so at once. */
const DEFAULT_QUEUE_LIMIT = 256
/** Many times what a drawing takes; a task that is still running then is hung. */
const DEFAULT_STOP_GRACE_MS = 2_000

/**
 * Inside an executable an entry point lies at its path below `src/`, seen from the executable's
 * root.
 */
const ENTRY = Bun.isStandaloneExecutable
  ? new URL('./threads/worker.ts', import.meta.url)
  : new URL('./worker.ts', import.meta.url)

type Task = {
  request: ThreadRequest
  resolve(result: unknown): void
  reject(error: unknown): void
  /** Stops listening to the caller's signal. */
  release(): void
}

type Thread = {
  worker: Worker
  task: Task | null
  /** Set once the running task's caller has gone. */
  stopTimer: ReturnType<typeof setTimeout> | null
  closed: Promise<void>
}

export function createThreads(options: ThreadsOptions = {}): Threads {
  const size = options.size ?? DEFAULT_SIZE
  const queueLimit = options.queueLimit ?? DEFAULT_QUEUE_LIMIT
  const stopGraceMs = options.stopGraceMs ?? DEFAULT_STOP_GRACE_MS
  const threads = new Set<Thread>()
  const queue: Task[] = []
  let lastId = 0
  let isClosed = false

  function dispatch(): void {
    while (queue.length > 0 && !isClosed) {
      const thread = [...threads].find(each => each.task === null) ?? grow()
      const task = thread && queue.shift()
      if (!thread || !task) return
      thread.task = task
      try {
        thread.worker.postMessage(task.request)
      } catch (error) {
        thread.task = null
        settle(task, () => task.reject(error))
      }
    }
  }

  function grow(): Thread | null {
    if (threads.size >= size) return null
    const worker = new Worker(options.entry ?? ENTRY, { ref: false })
    const { promise: closed, resolve: onClosed } = Promise.withResolvers<void>()
    const thread: Thread = { worker, task: null, stopTimer: null, closed }
    worker.onmessage = (event: MessageEvent<ThreadAnswer>) => onAnswer(thread, event.data)
    worker.onerror = event => {
      event.preventDefault()
      lose(thread, event.message)
    }
    worker.addEventListener('close', () => {
      onClosed()
      lose(thread, 'the thread ended')
    })
    threads.add(thread)
    return thread
  }

  function onAnswer(thread: Thread, answer: ThreadAnswer): void {
    const { task } = thread
    if (task?.request.id !== answer.id) return
    thread.task = null
    if (thread.stopTimer) clearTimeout(thread.stopTimer)
    thread.stopTimer = null
    settle(task, () => {
      if (answer.ok) task.resolve(answer.result)
      else task.reject(new ThreadError('failed', `${answer.name}: ${answer.message}`))
    })
    dispatch()
  }

  /** A dead thread takes its own task with it and no other; the next task starts a new one. */
  function lose(thread: Thread, why: string): void {
    if (!threads.delete(thread)) return
    const { task } = thread
    thread.task = null
    if (thread.stopTimer) clearTimeout(thread.stopTimer)
    thread.worker.terminate()
    if (task) settle(task, () => task.reject(new ThreadError('crashed', why)))
    dispatch()
  }

  function abandon(task: Task, reason: unknown): void {
    settle(task, () => task.reject(reason))
    const waiting = queue.indexOf(task)
    if (waiting >= 0) queue.splice(waiting, 1)
    const thread = [...threads].find(each => each.task === task)
    if (!thread) return
    thread.stopTimer = setTimeout(() => lose(thread, 'the task did not stop'), stopGraceMs)
    thread.stopTimer.unref()
  }

  return {
    run(kind, payload, signal) {
      if (isClosed) return Promise.reject(new AppError('shutting_down'))
      if (signal?.aborted) return Promise.reject(signal.reason)
      const isIdle = threads.size < size || [...threads].some(each => each.task === null)
      if (!isIdle && queue.length >= queueLimit) {
        return Promise.reject(
          new AppError('busy', { internal: 'the queue of the threads is full' }),
        )
      }
      return new Promise((resolve, reject) => {
        const onAbort = () => abandon(task, signal?.reason)
        const task: Task = {
          request: { id: ++lastId, kind, payload },
          resolve: result => resolve(result as ThreadResult<typeof kind>),
          reject,
          release: () => signal?.removeEventListener('abort', onAbort),
        }
        signal?.addEventListener('abort', onAbort, { once: true })
        queue.push(task)
        dispatch()
      })
    },
    async close() {
      isClosed = true
      const stopped = [...threads]
      for (const thread of stopped) {
        const { task } = thread
        thread.task = null
        if (task) settle(task, () => task.reject(new AppError('shutting_down')))
        lose(thread, 'the threads are closed')
      }
      for (const task of queue.splice(0)) {
        settle(task, () => task.reject(new AppError('shutting_down')))
      }
      await Promise.all(stopped.map(thread => thread.closed))
    },
  }
}

/** Settling twice is harmless for the promise; the signal must be let go of once. */
function settle(task: Task, how: () => void): void {
  task.release()
  how()
}
