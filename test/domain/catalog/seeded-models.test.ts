import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import {
  closeStages,
  expectBlobsMatchRows,
  outputBytes,
  runOut,
  START_TOKENS,
  type Stage,
  stage,
  submit,
  viewOf,
} from '@test/domain/jobs/stage'
import { expectLedgerInOrder } from '@test/support/test-hub'
import type { JobId } from '@/base/ids'
import { findModel, listModels } from '@/domain/catalog'
import { MODELS, type SeedModel } from '@/domain/catalog/seed/models'
import { submit as submitJob } from '@/domain/jobs'
import { balanceOf } from '@/domain/ledger'
import { findByExternalId } from '@/domain/users'

let on: Stage
const made = new Map<string, JobId>()

const IMAGE = 'https://images.example.com/input.jpg'
const needsImage = (model: SeedModel) => ['image_edit', 'upscale'].includes(model.kind)

/** What a caller must say, and nothing else. */
function minimal(model: SeedModel): Record<string, unknown> {
  return {
    ...(model.supportsPrompt ? { prompt: 'a lighthouse' } : {}),
    ...(needsImage(model) ? { images: [IMAGE] } : {}),
  }
}

beforeAll(async () => {
  on = await stage()
  for (const model of MODELS) {
    const { job } = await submitJob(on.deps, {
      realm: on.app.realms.test,
      externalId: 'tester',
      mayHaveWelcomeGrant: true,
      model: model.name,
      input: minimal(model),
      priority: 10,
      webhookUrl: null,
      metadata: {},
      idempotency: null,
    })
    made.set(model.name, job.id)
  }
  await runOut(on)
}, 20_000)
afterAll(closeStages)

describe('every model of a fresh install takes its least input and runs on the sandbox', () => {
  test.each(MODELS.map(model => [model.name, model] as const))('%s', async (name, model) => {
    const id = made.get(name)
    if (!id) throw new Error('not submitted')
    const testMode = { ...on, realm: on.app.realms.test }
    const view = viewOf(testMode, id)
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
    } else {
      expect(output).toMatchObject({ contentType: 'image/png', width: expect.any(Number) })
      expect((await outputBytes(testMode, id))[0]?.length).toBe(output?.bytes ?? -1)
    }
  })

  test('each picture has the shape that was asked for by default', () => {
    const testMode = { ...on, realm: on.app.realms.test }
    for (const model of MODELS.filter(each => each.aspectRatios.length > 0)) {
      const [output] = viewOf(testMode, made.get(model.name) ?? (0 as JobId)).outputs
      const [width = 1, height = 1] = (model.aspectRatios[0] ?? '').split(':').map(Number)
      expect((output?.width ?? 0) / (output?.height ?? 1)).toBeCloseTo(width / height, 1)
    }
  })

  test('and they cost together what they say', async () => {
    const user = findByExternalId(on.deps.db, on.app.realms.test.id, 'tester')
    if (!user) throw new Error('no user')
    const cost = MODELS.reduce((sum, model) => sum + model.tokenCost, 0)
    expect(balanceOf(on.deps.db, on.app.realms.test.id, user.id)).toEqual({
      available: START_TOKENS - cost,
      reserved: 0,
    })
    expectLedgerInOrder(on.deps)
    await expectBlobsMatchRows(on)
  })
})

test('a live key finds nobody for a model without a route', async () => {
  const error: unknown = await submit(on, { model: 'sdxl' }).catch(thrown => thrown)
  expect(error).toMatchObject({ code: 'no_provider_available' })
})

test('what the seed says is what the catalogue says', () => {
  expect(listModels(on.deps).map(model => model.name)).toEqual(
    MODELS.map(model => model.name).sort(),
  )
  for (const model of MODELS) {
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
