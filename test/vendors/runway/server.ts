import { type Sample, sample } from './samples'

export const RUNWAY_KEY = `key_${'0123456789abcdef'.repeat(8)}`

/** A sample of Runway's, or an answer that is none of Runway's: broken, slow, of a proxy. */
export type RunwayAnswer = Sample | (() => Response | Promise<Response>)

/** What becomes of one task. */
export type RunwayScript = {
  /** Instead of creating it. */
  create?: RunwayAnswer
  /** Each question takes the next one, the last is repeated. */
  tasks?: RunwayAnswer[]
  delete?: RunwayAnswer
}

export type RunwayCallSeen = {
  kind: 'create' | 'poll' | 'delete' | 'organization' | 'none'
  method: string
  path: string
  headers: Headers
  body: unknown
}

export type RunwayVendor = {
  origin: string
  readonly calls: RunwayCallSeen[]
  count(kind: RunwayCallSeen['kind']): number
  /** What tasks were created from, in order. */
  bodies(): unknown[]
  /** Each task takes the next one, the last is repeated. */
  script(...scripts: RunwayScript[]): void
  close(): Promise<void>
}

type Task = { id: string; script: RunwayScript; polls: number }

/** Runway's tasks and account, on a loopback address. */
export function startRunway(): RunwayVendor {
  const calls: RunwayCallSeen[] = []
  const tasks = new Map<string, Task>()
  let scripts: RunwayScript[] = [{}]

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { method, headers } = request
      const { pathname: path } = new URL(request.url)
      const text = await request.text()
      const kind = kindOf(method, path)
      calls.push({ kind, method, path, headers, body: text === '' ? null : JSON.parse(text) })
      if (headers.get('authorization') !== `Bearer ${RUNWAY_KEY}`) {
        return await answer(sample('error-unauthorized'))
      }
      if (headers.get('x-runway-version') !== '2024-11-06') {
        return await answer(sample('error-version'))
      }
      if (kind === 'create') return await create()
      if (kind === 'organization') return await answer(sample('organization'))
      const task = tasks.get(path.split('/').at(-1) ?? '')
      if (!task || kind === 'none') return await answer(sample('error-not-found'))
      return kind === 'poll' ? await poll(task) : await remove(task)
    },
  })

  async function create(): Promise<Response> {
    const script = (scripts.length > 1 ? scripts.shift() : scripts[0]) ?? {}
    if (script.create) return await answer(script.create)
    const task = { id: crypto.randomUUID(), script, polls: 0 }
    tasks.set(task.id, task)
    return await answer(sample('created'), task)
  }

  async function poll(task: Task): Promise<Response> {
    const answers = task.script.tasks ?? [
      sample('task-throttled'),
      sample('task-pending'),
      sample('task-running'),
      sample('task-succeeded'),
    ]
    const index = Math.min(task.polls++, answers.length - 1)
    return await answer(answers[index] ?? sample('task-succeeded'), task)
  }

  /** What was cancelled or deleted cannot be fetched again. */
  async function remove(task: Task): Promise<Response> {
    if (task.script.delete) return await answer(task.script.delete)
    tasks.delete(task.id)
    return new Response(null, { status: 204 })
  }

  return {
    origin: `http://127.0.0.1:${server.port}`,
    calls,
    count: kind => calls.filter(call => call.kind === kind).length,
    bodies: () => calls.filter(call => call.kind === 'create').map(call => call.body),
    script(...next) {
      scripts = next
    },
    close: () => server.stop(true),
  }
}

function kindOf(method: string, path: string): RunwayCallSeen['kind'] {
  const creates = /^\/v1\/(text_to_image|image_to_video|text_to_video|image_upscale)$/
  if (method === 'POST' && creates.test(path)) return 'create'
  if (method === 'GET' && path === '/v1/organization') return 'organization'
  if (!/^\/v1\/tasks\/[^/]+$/.test(path)) return 'none'
  return method === 'GET' ? 'poll' : method === 'DELETE' ? 'delete' : 'none'
}

/** A sample names one task; it is made to speak of this one. */
async function answer(what: RunwayAnswer, task?: Task): Promise<Response> {
  if (typeof what === 'function') return await what()
  let text = JSON.stringify(what.body)
  if (task) text = text.replaceAll('d2e3d1f4-1b3c-4b5c-8d46-1c1d7ee86892', task.id)
  const headers = { 'content-type': 'application/json', ...what.headers }
  return new Response(text, { status: what.status ?? 200, headers })
}
