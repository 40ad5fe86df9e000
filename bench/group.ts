/**
 * What sharing a commit brings: the same five-row change, each in a transaction of its own against through
 * the one door. `bun bench/group.ts [seconds]`.
 */
import { rmSync } from 'node:fs'
import { readConfig } from '@/base/config'
import { createLog } from '@/base/log'
import { createApp, realmsOf } from '@/domain/apps'
import * as jobs from '@/domain/jobs'
import { grantTokens } from '@/domain/users'
import { openHub } from '@/hub'
import { benchFolder } from './servers'

const seconds = Number(process.argv[2] ?? 3)
const folder = await benchFolder()
const hub = await openHub({
  config: readConfig({ DATA_DIR: folder.path }),
  log: createLog({
    level: 'error',
    wall: Date.now,
    write: text => void process.stderr.write(text),
  }),
  exclusive: 'bench',
  onFatal: error => {
    throw error
  },
})
const { deps } = hub
const shell = { kind: 'shell', id: 'bench' } as const
const { app } = await createApp(deps, shell, { name: 'Group', slug: 'group' })
const realm = realmsOf(deps.db, app.id).test
const grant = {
  externalId: 'u',
  amount: 1e9,
  reason: 'bench',
  type: 'GRANT',
  idempotency: null,
} as const
await grantTokens(deps, shell, realm, grant)

const submit = () =>
  jobs.submit(deps, {
    realm,
    externalId: 'u',
    mayHaveWelcomeGrant: true,
    model: 'flux-schnell',
    input: { prompt: 'A futuristic city at sunset' },
    priority: 10,
    webhookUrl: null,
    metadata: {},
    idempotency: null,
  })

for (const callers of [1, 4, 16, 64, 256]) {
  const before = deps.db.writer.stats()
  const cpu = process.cpuUsage()
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  let done = 0
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (performance.now() < until) {
        await submit()
        done++
      }
    }),
  )
  const { user, system } = process.cpuUsage(cpu)
  const groups = deps.db.writer.stats().groups - before.groups
  const perSecond = (done / (performance.now() - startedAt)) * 1000
  console.log(
    `${String(callers).padStart(4)} callers  ${perSecond.toFixed(0).padStart(6)} jobs/s  ${(done / groups).toFixed(1).padStart(5)} a commit  ${((user + system) / done / 1000).toFixed(3)} CPU ms each`,
  )
}
await hub.close()
rmSync(folder.path, { recursive: true, force: true })
