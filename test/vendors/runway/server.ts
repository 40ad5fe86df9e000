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
  kind: 'create' | 'poll' | 'delete' | 'organization' | 'place' | 'store' | 'none'
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
  /** What was put into the store, by the address that tasks know it by. */
  readonly files: ReadonlyMap<string, { name: string; type: string; bytes: Uint8Array }>
  /** What asking for a place, or sending a file there, is answered with instead. */
  answerUploads(answers: UploadAnswers): void
  close(): Promise<void>
}

type UploadAnswers = { place?: RunwayAnswer; store?: RunwayAnswer }
type Task = { id: string; script: RunwayScript; polls: number }

/** Runway's tasks and account, on a loopback address. */
export function startRunway(): RunwayVendor {
  const calls: RunwayCallSeen[] = []
  const tasks = new Map<string, Task>()
  const files = new Map<string, { name: string; type: string; bytes: Uint8Array }>()
  let scripts: RunwayScript[] = [{}]
  let uploadAnswers: UploadAnswers = {}

  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    async fetch(request) {
      const { method, headers } = request
      const { pathname: path } = new URL(request.url)
      const kind = kindOf(method, path)
      const text = kind === 'store' ? '' : await request.text()
      calls.push({ kind, method, path, headers, body: text === '' ? null : JSON.parse(text) })
      if (kind === 'store') return await store(request)
      if (headers.get('authorization') !== `Bearer ${RUNWAY_KEY}`) {
        return await answer(sample('error-unauthorized'))
      }
      if (headers.get('x-runway-version') !== '2024-11-06') {
        return await answer(sample('error-version'))
      }
      if (kind === 'create') return await create()
      if (kind === 'place') return await place(JSON.parse(text))
      if (kind === 'organization') return await answer(sample('organization'))
      const task = tasks.get(path.split('/').at(-1) ?? '')
      if (!task || kind === 'none') return await answer(sample('error-not-found'))
      return kind === 'poll' ? await poll(task) : await remove(task)
    },
  })

  async function place(asked: { filename?: string; type?: string }): Promise<Response> {
    if (asked.type !== 'ephemeral' || !asked.filename) return await answer(sample('error-asset'))
    if (uploadAnswers.place) return await answer(uploadAnswers.place)
    const { fields, runwayUri } = placeOf()
    const key = `ephemeral/${files.size + 1}-${crypto.randomUUID()}/${asked.filename}`
    const uploadUrl = `${origin}/store`
    const body = { uploadUrl, fields: { ...fields, key }, runwayUri: `${runwayUri}${btoa(key)}` }
    return await answer({ ...sample('upload-place'), body })
  }

  /** As a store of forms does: what is behind the file is not read, and a key of Runway's is none of its own. */
  async function store(request: Request): Promise<Response> {
    if (uploadAnswers.store) return await answer(uploadAnswers.store)
    const form = await request.formData()
    const fields = new Map([...form])
    const file = fields.get('file')
    const isSigned = fields.get('x-amz-signature') === placeOf().fields['x-amz-signature']
    const isLast = [...fields.keys()].at(-1) === 'file'
    if (!isSigned || !isLast || request.headers.has('authorization') || !(file instanceof File)) {
      return new Response('<Error><Code>AccessDenied</Code></Error>', { status: 403 })
    }
    const uri = `${placeOf().runwayUri}${btoa(`${fields.get('key')}`)}`
    files.set(uri, { name: file.name, type: file.type, bytes: await file.bytes() })
    return new Response(null, { status: 204 })
  }

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

  const origin = `http://127.0.0.1:${server.port}`
  return {
    origin,
    calls,
    files,
    answerUploads(answers) {
      uploadAnswers = answers
    },
    count: kind => calls.filter(call => call.kind === kind).length,
    bodies: () => calls.filter(call => call.kind === 'create').map(call => call.body),
    script(...next) {
      scripts = next
    },
    close: () => server.stop(true),
  }
}

type Place = { fields: { [name: string]: string }; runwayUri: string }

function placeOf(): Place {
  return sample('upload-place').body as Place
}

function kindOf(method: string, path: string): RunwayCallSeen['kind'] {
  const creates = /^\/v1\/(text_to_image|image_to_video|text_to_video|image_upscale)$/
  if (method === 'POST' && creates.test(path)) return 'create'
  if (method === 'POST' && path === '/v1/uploads') return 'place'
  if (method === 'POST' && path === '/store') return 'store'
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
