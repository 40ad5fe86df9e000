import { jsonOf, startHub } from '@test/support/process'
import { type Api, apiOf, type MadeApp, makeApp } from './api'
import { type Latencies, latenciesOf, startBareServer } from './latency'

export type ShellReport = {
  revoked: number
  commands: number
  /** A process that does nothing, asked in the same moments. */
  control: Latencies
  beside: Latencies
  problems: string[]
}

const SLUG = 'shop'

/**
 * Shell commands beside a running server: what they change holds for the very next call, each time, and the
 * server answers its health as fast as without them.
 */
export async function workInTheShell(times: {
  revocations: number
  grants: number
}): Promise<ShellReport> {
  await using bare = await startBareServer()
  // Every revoked key is tried once more from the same address.
  await using hub = await startHub({ env: { API_RATE_LIMIT_PER_MINUTE: '1000000' } })
  const { folder } = hub
  const { api_key } = await makeApp(folder, { slug: SLUG, grant: 0 })
  const api = apiOf(hub.url, api_key)
  const health = () => api.call('GET', '/api/health')
  const report: ShellReport = {
    revoked: 0,
    commands: 0,
    control: NOTHING,
    beside: NOTHING,
    problems: [],
  }

  let isOver = false
  const beside = latenciesOf(health, () => isOver)
  const control = latenciesOf(
    () => apiOf(bare.url, api_key).call('GET', '/'),
    () => isOver,
  )
  const shell = async <T>(...args: string[]): Promise<T> => {
    report.commands++
    return await jsonOf<T>(args, { folder })
  }
  try {
    let next = makeKey(shell)
    for (let i = 0; i < times.revocations; i++) {
      const key = await next
      next = makeKey(shell)
      await revokeOne(api, shell, key, report)
    }
    await next
    for (let i = 0; i < times.grants; i++) await grantOne(api, shell, report, i)
    const made = await shell<MadeApp>('apps', 'create', '--name', 'New', '--slug', 'new')
    const first = await apiOf(hub.url, made.api_key).call('GET', '/api/v1/jobs')
    if (first.status !== 200)
      report.problems.push(`a new app's first call answered ${first.status}`)
  } finally {
    isOver = true
    report.beside = await beside
    report.control = await control
  }
  return report
}

const NOTHING: Latencies = { calls: 0, p50: 0, p99: 0, worst: 0 }

type Shell = <T>(...args: string[]) => Promise<T>

type Key = { id: string; api_key: string }
const makeKey = (shell: Shell) => shell<Key>('keys', 'create', '--app', SLUG)

async function revokeOne(api: Api, shell: Shell, key: Key, report: ShellReport): Promise<void> {
  // A cheap read: what building the whole catalogue anew costs is another question.
  const look = () => api.call('GET', '/api/v1/jobs?limit=1', undefined, { key: key.api_key })
  // Twice, so that whatever remembers a good key remembers this one.
  const before = [await look(), await look()].map(answer => answer.status)
  await shell('keys', 'revoke', key.id)
  const { status, body } = await look()
  if (before.join() === '200,200' && status === 401 && body.code === 'invalid_api_key') {
    report.revoked++
  } else report.problems.push(`a key answered ${before}, and ${status} once it was revoked`)
}

async function grantOne(
  api: Api,
  shell: Shell,
  report: ShellReport,
  before: number,
): Promise<void> {
  const { new_balance } = await shell<{ new_balance: number }>(
    ...['tokens', 'grant', '--app', SLUG, '--user', 'rich', '--amount', '5'],
  )
  const { body } = await api.user('rich')
  const expected = 5 * (before + 1)
  if (new_balance !== expected || body.token_balance !== expected) {
    report.problems.push(`granted up to ${expected}: ${new_balance}, then ${body.token_balance}`)
  }
}
