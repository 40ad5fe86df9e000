import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { createSafeFetch } from '@/base/safe-fetch'
import { createApp } from '@/domain/apps'
import { type Command, type Context, SHELL } from './command'
import { readOptions } from './options'

const PROMPT = 'A lighthouse on a cliff at sunset'
const USER = 'demo-user'
const LATENCY_MS = 2_000
const GIVE_UP_MS = 60_000

export const demoCommand: Command = {
  name: 'demo',
  usage: 'hub demo',
  summary: 'Try it: a temporary hub, one app, one picture',
  async run(context) {
    readOptions(context.args, {}, 0)
    const dataDir = mkdtempSync(join(tmpdir(), 'ai-backend-hub-'))
    const config = { ...context.config, dataDir, secretKey: null, previousSecretKeys: [] }
    const serving = await context.startServer({ config, command: 'demo' })
    try {
      context.say(`A hub runs at ${serving.url}, on the temporary folder ${dataDir}`)
      const app = await createApp(serving.deps, SHELL, {
        name: 'Demo',
        slug: 'demo',
        welcomeGrant: 100,
      })
      await generate(context, serving.url, app.testApiKey)
      context.say(
        `\nAPI reference: ${serving.url}/docs\nIt keeps running; Ctrl-C ends it and removes the folder.`,
      )
      await context.untilStopped()
      return 0
    } finally {
      await serving.stop()
      rmSync(dataDir, { recursive: true, force: true })
    }
  },
}

type JobAnswer = {
  job_id: string
  status: string
  progress: number
  poll_after_seconds: number | null
  user_balance?: number
  tokens_charged: number
  outputs: { url: string; width: number; height: number; bytes: number }[]
  error: string | null
}

/** One picture over real HTTP, as an app would ask for it. */
async function generate(context: Context, url: string, key: string): Promise<void> {
  const fetch = createSafeFetch({ allowPrivate: [new URL(url).host] })
  const headers = { 'x-api-key': key, 'x-user-id': USER, 'content-type': 'application/json' }
  const ask = async (path: string, init: { method?: string; body?: string } = {}) => {
    const response = await fetch(`${url}${path}`, { ...init, headers })
    const answer = (await response.json()) as JobAnswer & { error: string | null }
    if (!response.ok) throw new Error(`${path} answered ${response.status}: ${answer.error}`)
    return answer
  }
  const body = {
    model: 'flux-schnell',
    input: {
      prompt: PROMPT,
      aspect_ratio: '16:9',
      provider_params: { sandbox: { mode: 'async', latency_ms: LATENCY_MS } },
    },
  }
  let job = await ask('/api/v1/generate', { method: 'POST', body: JSON.stringify(body) })
  context.say(`Job ${job.job_id}: ${job.tokens_charged} token held, ${job.user_balance} left`)
  const until = performance.now() + GIVE_UP_MS
  while (job.poll_after_seconds !== null) {
    if (performance.now() > until) throw new Error('the job did not end within a minute')
    context.say(`  ${job.status} ${job.progress} %`)
    await sleep(job.poll_after_seconds * 1000)
    job = await ask(`/api/v1/jobs/${job.job_id}`)
  }
  const [output] = job.outputs
  if (job.status !== 'succeeded' || !output) throw new Error(job.error ?? `the job ${job.status}`)
  context.say(
    `  ${job.status} ${job.progress} %: ${output.width} x ${output.height}, ${output.bytes} bytes`,
  )
  context.out(`\n${output.url}\n`)
  context.say(`The same by hand:

  curl ${url}/api/v1/generate \\
    -H 'X-API-Key: ${key}' -H 'X-User-ID: ${USER}' -H 'Content-Type: application/json' \\
    -d '{"model":"flux-schnell","input":{"prompt":"${PROMPT}"}}'
  curl ${url}/api/v1/jobs/${job.job_id} -H 'X-API-Key: ${key}' -H 'X-User-ID: ${USER}'`)
}
