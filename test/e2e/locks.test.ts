import { describe, expect, test } from 'bun:test'
import { launch, runHub, startHub, within } from '@test/support/process'
import { temporaryFolder, testLog } from '@test/support/test-db'
import { readConfig } from '@/base/config'
import { FolderInUse } from '@/db/lock'
import { startServer } from '@/serve'
import { apiOf, makeApp } from './api'
import { isOnceUndisturbed, isUndisturbed, worded } from './latency'
import { holdTheLock } from './locks'

const TIMEOUT_MS = 60_000
/** The second server waits this long for the first to go; nobody may wait for a dead one. */
const HAND_OVER_MS = 30_000

test(
  'while another process holds the write lock for 2 s, reads go on and no order is lost',
  async () => {
    const isCalm = await isOnceUndisturbed(async () => {
      const { health, job, control, answers, problems } = await holdTheLock(2_000)
      for (const [name, figures] of Object.entries({ health, job, control })) {
        console.log(`  ${name}: ${worded(figures)}`)
      }
      expect(problems).toEqual([])
      expect(Object.keys(answers)).toEqual(['202'])
      expect(health.calls).toBeGreaterThan(100)
      return isUndisturbed(health, control) && isUndisturbed(job, control)
    })
    expect(isCalm).toBe(true)
  },
  TIMEOUT_MS,
)

describe('one server for a folder', () => {
  test(
    'a second one is refused and told who has it',
    async () => {
      await using first = await startHub()
      // From source, because the product waits 30 s for the first one to go before it says so.
      const config = readConfig({ DATA_DIR: first.folder, PORT: '0' })
      const second = startServer({
        config,
        log: testLog(),
        onFatal: () => {},
        hub: { lockWaitMs: 0 },
      })
      await expect(second).rejects.toBeInstanceOf(FolderInUse)
      const sentence = await second.catch((error: Error) => error.message)
      expect(sentence).toMatch(
        new RegExp(
          `^${first.folder} is in use by \`hub serve\` \\(pid ${first.pid} on .+, since .+Z\\); stop it first$`,
        ),
      )
      expect((await fetch(`${first.url}/api/health`)).status).toBe(200)
    },
    TIMEOUT_MS,
  )

  test(
    'a second process that waits for the first can be told to stop, and takes over when the first has gone',
    async () => {
      await using first = await startHub()
      await using impatient = launch({ folder: first.folder })
      // Nothing tells from outside that it waits. Wherever the signal meets it, it must end, and soon.
      await Bun.sleep(500)
      impatient.signal('SIGTERM')
      const startedAt = performance.now()
      await within(HAND_OVER_MS, 'the end of the waiting process', impatient.ended)
      expect(performance.now() - startedAt).toBeLessThan(5_000)

      const heir = startHub({ folder: first.folder })
      expect(await first.stop()).toBe(0)
      await using second = await heir
      expect((await fetch(`${second.url}/api/health`)).status).toBe(200)
    },
    TIMEOUT_MS,
  )

  test(
    'kill -9 leaves no lock behind, for a server nor for a command',
    async () => {
      const folder = temporaryFolder()
      const app = await makeApp(folder)
      await using first = await startHub({ folder })
      await first.kill()
      const startedAt = performance.now()
      await using second = await startHub({ folder })
      expect(performance.now() - startedAt).toBeLessThan(HAND_OVER_MS / 3)
      expect((await apiOf(second.url, app.api_key).jobs()).length).toBe(0)
      await second.kill()
      expect((await runHub(['migrate', '--json'], { folder })).code).toBe(0)
    },
    TIMEOUT_MS,
  )
})
