import { reachableHost } from '@/base/reachable-host'
import { createSafeFetch } from '@/base/safe-fetch'
import type { Command } from './command'
import { readOptions } from './options'

const TIMEOUT_MS = 3_000

export const healthCommand: Command = {
  name: 'health',
  usage: 'hub health [--json]',
  summary: 'Ask the server on this machine how it is (for HEALTHCHECK)',
  async run(context) {
    const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
    const host = `${reachableHost(context.config.host)}:${context.config.port}`
    const fetch = createSafeFetch({ allowPrivate: [host] })
    try {
      const response = await fetch(`http://${host}/api/health`, { timeoutMs: TIMEOUT_MS })
      // Whatever else listens there and answers no JSON is not the server that was asked for.
      const body = JSON.stringify(await response.json())
      context.out(values.json ? body : `${response.status} ${body}`)
      return response.ok ? 0 : 1
    } catch {
      context.out(values.json ? '{"status":"unreachable"}' : `nothing answers on ${host}`)
      return 1
    }
  },
}
