/**
 * The product's own server for a bench: `bun bench/product.ts <data folder>`; prints its port. With
 * RUNNER=paused nothing is claimed until SIGUSR2.
 */
import { createApp } from '@/app'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { watchForeignCommits } from '@/db/foreign-commits'
import { write } from '@/db/write'
import { createRateLimits } from '@/http/rate-limits'
import { openHub } from '@/hub'
import { createRunner } from '@/queue/runner'
import { VERSION } from '@/version'
import { taskKinds } from '@/workers/kinds'

const config = readConfig({ ...process.env, DATA_DIR: process.argv[2], PORT: '0' })
const logFile = Bun.file(`${config.dataDir}/bench.log`).writer()
const log = createLog({ level: 'info', wall: Date.now, write: text => void logFile.write(text) })
const { deps } = await openHub({
  config,
  log,
  exclusive: 'bench',
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
if (process.env.RUNNER === 'paused') process.once('SIGUSR2', () => void runner.start())
else await runner.start()
process.once('SIGINT', () => process.exit(0))
console.log(server.port)
