import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  closeStages,
  expectBlobsMatchRows,
  outputBytes,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  viewOf,
} from '@test/domain/jobs/stage'
import { expectLedgerInOrder } from '@test/support/test-hub'
import type { JobId } from '@/base/ids'
import { describeInput, findModel, listModels } from '@/domain/catalog'
import { MODELS } from '@/domain/catalog/seed/models'
import { submit } from '@/domain/jobs'
import { balanceOf } from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'

/** The stage in test mode, where every model runs on the sandbox. */
let on: Stage
const made = new Map<string, JobId>()

const USER = 'tester'
const RICH = 1_000 * START_TOKENS
const VALUES: Record<string, unknown> = {
  prompt: 'a lighthouse',
  images: ['https://images.example.com/input.jpg'],
}

/** What a caller must say, and nothing else. */
function leastInput(name: string): Record<string, unknown> {
  const model = findModel(on.deps, name)
  if (!model) throw new Error(`no model ${name}`)
  const required = (describeInput(on.deps, model).required ?? []) as string[]
  return Object.fromEntries(required.map(field => [field, VALUES[field]]))
}

beforeAll(async () => {
  const live = await stage({ tokens: RICH })
  on = { ...live, realm: live.app.realms.test }
  for (const { name } of MODELS) {
    const { job } = await submit(on.deps, {
      realm: on.realm,
      externalId: USER,
      mayHaveWelcomeGrant: true,
      model: name,
      input: leastInput(name),
      priority: 10,
      webhookUrl: null,
      metadata: {},
      idempotency: null,
    })
    made.set(name, job.id)
  }
  await runOut(on)
}, 30_000)
afterAll(closeStages)

const jobOf = (name: string) => made.get(name) ?? (0 as JobId)

describe('every model of a fresh install takes its least input and runs on the sandbox', () => {
  test.each(MODELS.map(model => [model.name, model] as const))('%s', async (name, model) => {
    const view = viewOf(on, jobOf(name))
    expect(view).toMatchObject({
      status: 'succeeded',
      mode: 'test',
      kind: model.kind,
      providerUsed: 'sandbox',
      attempts: 1,
      tokensCharged: model.tokenCost,
      tokensRefunded: 0,
    })
    expect(view.outputs.length).toBe(1)
    const [output] = view.outputs
    if (model.kind === 'text') {
      expect(output?.text).toContain('lighthouse')
      return
    }
    const type = view.kind === 'video' ? 'video/mp4' : 'image/png'
    expect(output?.contentType).toBe(type)
    expect((await outputBytes(on, jobOf(name)))[0]?.length).toBe(output?.bytes ?? -1)
  })

  test('each picture has the shape that was asked for by default', () => {
    for (const { name, aspectRatios } of MODELS) {
      const [output] = viewOf(on, jobOf(name)).outputs
      const [width, height] = (aspectRatios[0] ?? '').split(':').map(Number)
      if (!width || !height || !output?.width || !output.height) continue
      expect([name, (output.width / output.height).toFixed(1)]).toEqual([
        name,
        (width / height).toFixed(1),
      ])
    }
  })

  test('and they cost together what they say', async () => {
    const user = findByExternalId(on.deps.db, on.realm.id, USER)
    if (!user) throw new Error('no user')
    const cost = MODELS.reduce((sum, model) => sum + model.tokenCost, 0)
    expect(balanceOf(on.deps.db, on.realm.id, user.id)).toMatchObject({
      available: RICH - cost,
      reserved: 0,
    })
    expectLedgerInOrder(on.deps)
    await expectBlobsMatchRows(on)
  })
})

test('what the seed says is what the catalogue says', () => {
  const listed = listModels(on.deps).map(model => model.name)
  for (const model of MODELS) {
    expect(listed).toContain(model.name)
    expect(findModel(on.deps, model.name)).toMatchObject({
      displayName: model.displayName,
      kind: model.kind,
      tokenCost: model.tokenCost,
      maxInputImages: model.maxInputImages,
      supportsPrompt: model.supportsPrompt,
      aspectRatios: [...model.aspectRatios],
    })
  }
})
