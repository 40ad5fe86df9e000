import { expect, test } from 'bun:test'
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { startHub, until } from '@test/support/process'
import { temporaryFolder } from '@test/support/test-db'
import { apiOf, makeApp, sandboxed } from './api'
import { crashAtRandom, deathTable } from './crash-random'

const TIMEOUT_MS = 120_000
const ROUNDS = 4
const SEED = 20_260_115

test(
  'kill -9 at random moments under load: every order is one job with one end, paid once and told',
  async () => {
    const report = await crashAtRandom({ rounds: ROUNDS, clients: 4, seed: SEED })
    console.log(deathTable(report))
    expect(report.problems).toEqual([])
    expect(report.deaths).toHaveLength(ROUNDS)
    // Each death must have met work, or it proved nothing.
    expect(report.deaths.filter(({ met }) => Object.keys(met).length === 0)).toEqual([])
    expect(report.jobs.succeeded).toBeGreaterThan(0)
  },
  TIMEOUT_MS,
)

test(
  'what was half-written at the time of a kill -9 is gone after the next start',
  async () => {
    const folder = temporaryFolder()
    const app = await makeApp(folder)
    const drafts = () => {
      const names = readdirSync(join(folder, 'files/tmp'))
      return names.filter(name => name.startsWith('fil_'))
    }
    await using hub = await startHub({ folder })
    const api = apiOf(hub.url, app.test_api_key)
    expect((await api.call('GET', '/api/health')).status).toBe(200)
    let isOver = false
    const order = async () => {
      while (!isOver) await api.generate({ input: sandboxed({}, 4) }).catch(() => {})
    }
    const clients = [1, 2, 3, 4].map(order)
    await until('something is being written', () => drafts().length > 0)
    await hub.kill()
    isOver = true
    await Promise.all(clients)
    const left = drafts()

    await using again = await startHub({ folder })
    expect((await fetch(`${again.url}/api/health`)).status).toBe(200)
    await until('the drafts are gone', () => left.every(name => !drafts().includes(name)), 5_000)
  },
  TIMEOUT_MS,
)
