/**
 * The product with one vendor that answers at once, for live keys: `bun bench/limits-server.ts <data
 * folder>`; prints its port. With RUNNER=paused nothing is claimed.
 */
import { createApp } from '@/app'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { watchForeignCommits } from '@/db/foreign-commits'
import { write } from '@/db/write'
import { createRateLimits } from '@/http/rate-limits'
import { openHub } from '@/hub'
import type { Provider } from '@/providers/spec'
import { createRunner } from '@/queue/runner'
import { VERSION } from '@/version'
import { taskKinds } from '@/workers/kinds'

/** What it takes for an answer, micro-USD. */
const COST = 900

const vendor: Provider = {
  name: 'bench',
  isKeyless: true,
  start: async () => ({
    state: 'done',
    outputs: [{ type: 'text', text: 'done' }],
    usage: { costMicroUsd: COST },
  }),
}

const config = readConfig({ ...process.env, DATA_DIR: process.argv[2], PORT: '0' })
const log = createLog({
  level: 'error',
  wall: Date.now,
  write: text => void process.stderr.write(text),
})
const { deps } = await openHub({
  config,
  log,
  exclusive: 'bench',
  providers: [vendor],
  onFatal: error => {
    throw error
  },
})
const foreign = watchForeignCommits(deps.db)
const runner = createRunner({
  db: deps.db,
  log,
  lanes: deps.lanes,
  foreign,
  bootId: await write(deps.db, tx => tx.id()),
  kinds: taskKinds(deps),
})
const app = createApp(
  { deps, limits: createRateLimits(deps), foreign, isStopping: () => false },
  { version: VERSION, runner: () => 'ok', storage: async () => 'ok' },
)
const server = Bun.serve({ port: 0, hostname: '127.0.0.1', fetch: request => app.fetch(request) })
app.server = server as never
if (process.env.RUNNER !== 'paused') await runner.start()
console.log(server.port)
