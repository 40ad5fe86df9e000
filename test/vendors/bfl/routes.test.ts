import { describe, expect, test } from 'bun:test'
import { imageInput, providerContext } from '@test/support/conformance'
import { z } from 'zod'
import { FLUX } from '@/domain/catalog/seed/models/flux'
import { createBfl } from '@/providers/bfl/bfl'
import type { Json, ProviderContext } from '@/providers/spec'
import { sample } from './samples'

/** There is no client of the vendor's to compare with, so what is sent is held against its own description. */
const INPUTS = sample<Record<string, object>>('inputs')

const ROUTES = FLUX.flatMap(model =>
  model.routes
    .filter(({ provider }) => provider === 'bfl')
    .map(route => [route.providerModel, model, route] as const),
)

function problemsOf(endpoint: string, body: unknown): string[] {
  const schema = z.fromJSONSchema((INPUTS[endpoint] ?? {}) as never)
  const { error } = schema.safeParse(body)
  return (error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`)
}

describe('what is sold through it fits the endpoint', () => {
  test('and all endpoints that are described are sold', () => {
    const sold = ROUTES.map(([endpoint]) => endpoint)
    expect(sold.toSorted()).toEqual(Object.keys(INPUTS).toSorted())
  })

  test.each(ROUTES)('%s', async (endpoint, model, route) => {
    const bodies: Json[] = []
    const fetch: ProviderContext['fetch'] = async (_, init) => {
      bodies.push(JSON.parse(String(init?.body)))
      return Response.json(sample('submitted'))
    }
    const pictures = Array.from(
      { length: model.maxInputImages },
      (_, n) => `https://x.example/${n}`,
    )
    const { guidance, raw } = model.fields as Record<string, { minimum?: number }>
    const extra = {
      seed: 7,
      ...(guidance ? { guidance: guidance.minimum ?? 1 } : {}),
      ...(raw ? { raw: true } : {}),
    }
    for (const aspectRatio of model.aspectRatios) {
      for (const outputFormat of ['png', 'jpeg', 'webp'] as const) {
        const { kind } = model
        const { providerModel, config } = route
        const asked = { kind, providerModel, config, aspectRatio, outputFormat, extra }
        const input = imageInput({ ...asked, images: pictures })
        await createBfl().start(input, providerContext({ fetch }))
      }
    }
    expect(bodies.length).toBe(3 * model.aspectRatios.length)
    expect(bodies.flatMap(body => problemsOf(endpoint, body))).toEqual([])
  })

  test('which is a comparison that finds what is wrong', () => {
    const good = { prompt: 'a', width: 1_024, height: 1_024 }
    expect(problemsOf('flux-pro-1.1', good)).toEqual([])
    expect(problemsOf('flux-pro-1.1', { ...good, height: 720 })).not.toEqual([])
    expect(problemsOf('flux-pro-1.1', { ...good, width: 1_472 })).not.toEqual([])
    expect(problemsOf('flux-2-pro', { ...good, aspect_ratio: '1:1' })).not.toEqual([])
    expect(problemsOf('flux-2-pro', { width: 1_024 })).not.toEqual([])
    expect(problemsOf('flux-kontext-pro', { prompt: 'a', output_format: 'gif' })).not.toEqual([])
  })
})
