import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  closeStages,
  outputBytes,
  rows,
  runOut,
  type Stage,
  stage,
  USER,
  viewOf,
} from '@test/domain/jobs/stage'
import { providerContext } from '@test/support/conformance'
import { z } from 'zod'
import { checkInput, findModel, seed } from '@/domain/catalog'
import { MODELS, type SeedModel } from '@/domain/catalog/seed/models'
import type { SeedRoute } from '@/domain/catalog/seed/types'
import { submit } from '@/domain/jobs'
import { routeConfig } from '@/domain/routing'
import { parseRouteConfig } from '@/domain/routing/route-config'
import { cannedPicture } from '@/providers/sandbox/canned'
import { CLIP } from '@/providers/sandbox/clip'
import type { Json, Provider, ProviderFetchInit, ProviderInput } from '@/providers/spec'
import { VENDORS } from '@/providers/vendors'

/** Nothing in here changes it, but for the last group, which works on a stage of its own. */
let on: Stage

beforeAll(async () => {
  const live = await stage({ tokens: 1_000_000 })
  on = { ...live, realm: live.app.realms.test }
})
afterAll(closeStages)

const ROUTES = MODELS.flatMap(model => model.routes.map(route => ({ model, route })))
const named = (name: string): SeedModel => {
  const model = MODELS.find(each => each.name === name)
  if (!model) throw new Error(`no model ${name}`)
  return model
}
const idOf = (name: string) => findModel(on.deps, name)?.id ?? (0 as never)
const PICTURE = 'https://images.example.com/input.png'
const needsPicture = ({ kind }: SeedModel) => kind === 'image_edit' || kind === 'upscale'

// --- what is sold ----------------------------------------------------------------------------------

describe('what is sold', () => {
  test('is enough, of every family, and each under one name', () => {
    expect(MODELS.length).toBeGreaterThanOrEqual(40)
    const names = MODELS.map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
    for (const name of names) expect(name).toMatch(/^[a-z0-9]+([.-][a-z0-9]+)*$/)
    const families = new Set(MODELS.map(({ family }) => family))
    for (const family of FAMILIES) expect(families).toContain(family)
    expect(new Set(MODELS.map(({ kind }) => kind))).toEqual(
      new Set(['image', 'image_edit', 'video', 'upscale', 'text']),
    )
  })

  test('costs what it did, where it was sold before', () => {
    for (const [name, tokenCost] of Object.entries(SOLD_BEFORE)) {
      expect([name, named(name).tokenCost]).toEqual([name, tokenCost])
    }
  })

  test.each(MODELS.map(model => [model.name, model] as const))('%s makes sense', (name, model) => {
    const { description, tokenCost, kind, maxInputImages, supportsPrompt, aspectRatios } = model
    expect(description).toMatch(/^[^\s].{20,240}\.$/)
    expect(tokenCost).toBeGreaterThan(0)
    expect(supportsPrompt || maxInputImages > 0).toBe(true)
    if (needsPicture(model)) expect(maxInputImages).toBeGreaterThan(0)
    for (const ratio of aspectRatios) expect(ratio).toMatch(/^\d+:\d+$/)
    const fields = Object.keys(model.fields)
    expect(fields.filter(field => !/^[a-z]+(_[a-z]+)*$/.test(field))).toEqual([])
    if (kind === 'video') expect(Object.keys(model.fields)).toContain('duration_seconds')
    const schema = z.fromJSONSchema({ type: 'object', properties: model.fields } as never)
    expect(schema.parse({})).toEqual(defaultsOf(model))
    const found = findModel(on.deps, name)
    if (!found) throw new Error('not seeded')
    for (const input of inputsOf(model)) {
      const checked = checkInput(on.deps, found, 'live', input)
      expect(Object.keys(checked.extra)).toEqual(
        expect.arrayContaining(Object.keys(defaultsOf(model))),
      )
      expect(checked.aspectRatio).toBe((input.aspect_ratio as string) ?? aspectRatios[0] ?? null)
    }
  })
})

const FAMILIES = [
  ...['flux', 'sdxl', 'ideogram', 'qwen-image', 'seedream', 'reve', 'recraft', 'luma', 'gemini'],
  ...['gpt-image', 'runway', 'kling', 'veo', 'upscaler', 'gpt'],
]

/** Apps in the App Store know these names, and what they cost. */
const SOLD_BEFORE = {
  'flux-schnell': 1,
  'flux-dev': 3,
  'flux-kontext-pro': 5,
  sdxl: 1,
  'gpt-image-1.5': 5,
  'gpt-image-2': 8,
  'nano-banana': 4,
  'nano-banana-pro': 14,
  'ideogram-v3': 6,
  'seedream-4': 4,
  'qwen-image': 3,
  'recraft-v3': 4,
  'clarity-upscaler': 4,
  'gpt-5-mini': 1,
}

type Schema = { type?: string; enum?: Json[]; default?: Json; minimum?: number }

const schemasOf = ({ fields }: SeedModel) => Object.entries(fields as Record<string, Schema>)

function defaultsOf(model: SeedModel): Record<string, Json> {
  const set = schemasOf(model).filter(([, schema]) => schema.default !== undefined)
  return Object.fromEntries(set.map(([name, schema]) => [name, schema.default ?? null]))
}

/** The least that may be asked for, and the most: each ratio, format and number, every field, all pictures. */
function inputsOf(model: SeedModel): Record<string, unknown>[] {
  const prompt = model.supportsPrompt ? { prompt: 'a lighthouse' } : {}
  const least = { ...prompt, ...(needsPicture(model) ? { images: [PICTURE] } : {}) }
  const every = schemasOf(model).map(([name, schema]) => [name, sampleOf(schema)])
  const formats = ['video', 'text'].includes(model.kind) ? [undefined] : ['png', 'jpeg', 'webp']
  const ratios = model.aspectRatios.length > 0 ? model.aspectRatios : [undefined]
  const full = ratios.flatMap(ratio =>
    formats.map((format, index) => ({
      ...least,
      ...Object.fromEntries(every),
      ...(ratio ? { aspect_ratio: ratio } : {}),
      ...(format ? { output_format: format } : {}),
      ...(index > 0 && model.maxInputImages > 0
        ? { images: Array.from({ length: model.maxInputImages }, () => PICTURE) }
        : {}),
      num_outputs: 1 + index,
    })),
  )
  const framed = model.kind === 'video' ? [{ ...least, images: [PICTURE] }] : []
  return [least, ...(model.maxInputImages > 0 ? framed : []), ...full]
}

function sampleOf({ type, enum: words, minimum }: Schema): Json {
  if (words) return words.at(-1) ?? null
  if (type === 'boolean') return true
  return type === 'string' ? 'fog' : (minimum ?? 1) + 1
}

// --- who serves it ---------------------------------------------------------------------------------

describe('who serves it', () => {
  test('vendors are all there, and each route is to one of them', () => {
    const stored = rows<{ name: string }>(on, 'SELECT name FROM providers').map(row => row.name)
    for (const { name } of VENDORS) expect(stored).toContain(name)
    for (const { route } of ROUTES) expect([...ADAPTERS.keys()]).toContain(route.provider)
  })

  test.each(MODELS.map(model => [model.name, model] as const))('%s', (name, { routes }) => {
    expect(routes.length).toBeGreaterThan(0)
    expect(new Set(routes.map(({ provider }) => provider)).size).toBe(routes.length)
    expect(routes.map(({ priority }) => priority)).toEqual(routes.map((_, index) => index + 1))
    for (const route of routes) {
      expect(routeConfig(on.deps.db, idOf(name), route.provider)).toEqual(route.config)
      const rates = Object.values(route.config.cost ?? {})
      expect(rates.length).toBeGreaterThan(0)
      for (const rate of rates) expect(rate).toBeGreaterThan(0)
      const { source, date, certainty } = route.price
      expect(source.length).toBeGreaterThan(10)
      expect(date).toMatch(/^2026-(0[1-9]|1[0-2])(-\d\d)?$/)
      expect(['published', 'reported', 'estimated']).toContain(certainty)
      expect(JSON.stringify(route.config)).not.toContain('price')
    }
  })

  test.each<[string, boolean]>([
    ['{"fields":{"images":"image_urls[]","seed":null,"duration_seconds":"duration:text"}}', true],
    ['{"fields":{"aspect_ratio":"..."},"aspect_ratios":{"1:1":{"width":1},"4:3":null}}', true],
    ['{"with_images_fields":{"images":"start","length":"duration:seconds"}}', true],
    ['{"deadline_seconds":90}', true],
    ['{"fields":{"length":"duration:minutes"}}', false],
    ['{"fields":{"images":"[]"}}', false],
    ['{"fields":{"images":"image_urls[0]"}}', false],
    ['{"fields":{"images":""}}', false],
    ['{"fields":{"images":"two words"}}', false],
    ['{"with_images_fields":{"seed":7}}', false],
    ['{"outputs_per_call":0}', false],
    ['{"unheard_of":1}', false],
  ])('an operator’s %s is a route’s: %p', (text, isOne) => {
    const read = () => parseRouteConfig(text)
    if (isOne) expect(read()).toEqual(JSON.parse(text))
    else expect(read).toThrow()
  })

  test('what is asked for most has two vendors or more', () => {
    const alone = POPULAR.filter(name => named(name).routes.length < 2)
    expect(alone).toEqual([])
  })

  test('nothing is asked for that is gone or goes this year', () => {
    const asked = ROUTES.flatMap(({ route: { provider, providerModel, config } }) =>
      [providerModel, config.with_images_model ?? providerModel].map(id => `${provider} ${id}`),
    )
    expect(asked.filter(id => RETIRED.some(({ ids }) => ids.test(id)))).toEqual([])
    for (const { ids, example } of RETIRED) expect(example).toMatch(ids)
  })

  test('a model that ended says so, and who answers', () => {
    expect(named('gpt-image-1.5').description).toMatch(/2026-12-01.*GPT Image 2 answers/)
    expect(named('gpt-5-mini').description).toMatch(/2026-12-11.*GPT-6 Luna answers/)
    expect(named('nano-banana').description).toMatch(/October 2026.*2\.1 answers/)
    expect(named('gpt-image-1.5').routes.at(-1)).toMatchObject({
      provider: 'openai',
      providerModel: 'gpt-image-2',
    })
  })
})

const POPULAR = [
  ...['flux-schnell', 'flux-dev', 'flux-kontext-pro', 'flux-2-pro', 'ideogram-v3', 'qwen-image'],
  ...['seedream-4', 'seedream-4.5', 'reve', 'recraft-v3', 'luma-photon', 'luma-ray-2'],
  ...['nano-banana', 'nano-banana-2', 'nano-banana-pro', 'gpt-image-1.5', 'gpt-image-2'],
  ...['runway-gen4-image', 'runway-gen4.5', 'kling-2.5', 'kling-3', 'veo-3.1', 'veo-3.1-fast'],
  ...['seedance-2', 'clarity-upscaler', 'real-esrgan', 'remove-background', 'gpt-5-mini'],
]

/** By the vendors' pages of retirements, for what ends before 2026-12-31. A reseller is not its vendor. */
const RETIRED: { ids: RegExp; example: string }[] = [
  { ids: /\bdall-e-[23]\b/, example: 'openai dall-e-3' },
  { ids: /^openai gpt-image-1(\.5|-mini|$)/, example: 'openai gpt-image-1.5-2025-12-16' },
  { ids: /\bopenai\/gpt-image-1(-mini)?$/, example: 'replicate openai/gpt-image-1' },
  { ids: /\bfal-ai\/gpt-image-1[/-]/, example: 'fal fal-ai/gpt-image-1/text-to-image' },
  { ids: /chatgpt-image-latest/, example: 'openai chatgpt-image-latest' },
  { ids: /\b(gpt-5(-mini|-nano|-pro)?|o3(-pro)?)$/, example: 'openrouter openai/gpt-5-mini' },
  { ids: /\bgpt-(3\.5|4)/, example: 'openai gpt-4.1-nano' },
  { ids: /\bsora-?2/, example: 'defapi sora-2' },
  { ids: /\bimagen-?[34]/, example: 'fal fal-ai/imagen4/preview' },
  { ids: /\bgemini-(1|2)\./, example: 'gemini gemini-2.5-flash-image' },
  { ids: /^gemini gemini-3\.1-flash-image$/, example: 'gemini gemini-3.1-flash-image' },
  { ids: /\bgemini-.*-image-preview$/, example: 'openrouter google/gemini-3-pro-image-preview' },
  { ids: /^gemini veo-/, example: 'gemini veo-3.1-generate-preview' },
  { ids: /\bveo-?[23](-fast)?$/, example: 'replicate google/veo-3' },
]

// --- what is asked of whom -------------------------------------------------------------------------

const ADAPTERS = new Map<string, Provider>(VENDORS.map(({ name, create }) => [name, create()]))

type Asked = { url: string; body: Record<string, Json> }

/** What the vendor's own adapter sends for an input by a route; nobody answers it. */
async function asked(
  model: SeedModel,
  route: SeedRoute,
  input: Record<string, unknown>,
): Promise<Asked[]> {
  const found = findModel(on.deps, model.name)
  if (!found) throw new Error('not seeded')
  const checked = checkInput(on.deps, found, 'live', input)
  const calls: Asked[] = []
  const fetch = async (url: string, init: ProviderFetchInit = {}) => {
    if (url === PICTURE) return new Response(cannedPicture())
    calls.push({ url, body: bodyOf(init) })
    return Response.json({}, { status: 503 })
  }
  const providerInput: ProviderInput = {
    ...checked,
    providerModel: route.providerModel,
    kind: model.kind,
    params: {},
    config: route.config,
  }
  const vendor = ADAPTERS.get(route.provider)
  if (!vendor) throw new Error(`${route.provider} is no vendor`)
  const error = await vendor.start(providerInput, providerContext({ fetch })).then(
    () => null,
    (thrown: unknown) => thrown,
  )
  if (calls.length === 0) throw new Error(`${route.provider} asks nobody: ${error}`)
  return calls
}

function bodyOf({ body }: ProviderFetchInit): Record<string, Json> {
  if (body instanceof FormData) return Object.fromEntries([...body.keys()].map(key => [key, '']))
  const text = typeof body === 'string' ? body : new TextDecoder().decode(body)
  return JSON.parse(text) as Record<string, Json>
}

const LIBRARIES = join(import.meta.dir, '../../../node_modules')
const readLibrary = (path: string) => readFileSync(join(LIBRARIES, path), 'utf8')

type Member = { type: string; isRequired: boolean }
type Members = ReadonlyMap<string, Member>
const NOTHING: Members = new Map()

/** The members of an object type of a library, each with its type as it is written there. */
function membersOf(text: string, opening: string): Members | null {
  const start = text.indexOf(`${opening} {\n`)
  if (start < 0) return null
  const [, indent = ''] = /\n( *)\S[^\n]*$/.exec(text.slice(0, start + opening.length)) ?? []
  const end = text.indexOf(`\n${indent}}`, start)
  const member = new RegExp(`\n${indent}    "?(\\w+)"?(\\?)?: ([^\n]+?);?(?=\n)`, 'g')
  return new Map(
    [...text.slice(start, end + 1).matchAll(member)].map(([, name = '', optional, type = '']) => [
      name,
      { type, isRequired: optional === undefined },
    ]),
  )
}

/** What is wrong with a body by those members: what is not there, what is missing, words that are not taken. */
function misfits(body: Record<string, Json>, members: Members): string[] {
  const missing = [...members].filter(([name, { isRequired }]) => isRequired && !(name in body))
  return [
    ...missing.map(([name]) => `${name}: missing`),
    ...Object.entries(body).flatMap(([name, value]) => {
      const type = members.get(name)?.type
      if (type === undefined) return [`${name}: unknown`]
      return fits(value, type) ? [] : [`${name}: ${JSON.stringify(value)} is no ${type}`]
    }),
  ]
}

function fits(value: Json, type: string): boolean {
  if (Array.isArray(value)) return /Array</.test(type)
  if (typeof value === 'number') return /\bnumber\b/.test(type) || isOneOf(String(value), type)
  if (typeof value === 'boolean') return /\bboolean\b/.test(type)
  if (typeof value === 'object') return /[A-Z{]/.test(type)
  return isOneOf(value, type) || /(^|\| ?)string\b/.test(type)
}

const isOneOf = (word: string, type: string) =>
  type.split(' | ').some(each => each.replace(/^["']|["']$/g, '') === word)

describe('what is asked of whom', () => {
  const seen: { where: string; wrong: string }[] = []
  const unknown = new Set<string>()
  const note = (where: string, wrong: string[]) => {
    for (const each of wrong) seen.push({ where, wrong: each })
  }

  test.each(ROUTES.map(each => [`${each.model.name} of ${each.route.provider}`, each] as const))(
    '%s is understood by its adapter, whatever is asked for',
    async (_, { model, route }) => {
      for (const input of inputsOf(model)) {
        for (const call of await asked(model, route, input)) {
          if (route.provider === 'fal') note(...falMisfits(call))
          if (route.provider === 'runway') note(...runwayMisfits(call))
          if (route.provider === 'luma') note(...lumaMisfits(call))
          if (route.provider === 'openrouter') note(...openrouterMisfits(call))
        }
      }
    },
  )

  /** Their own clients know these endpoints, and so the names and the words of their fields. */
  test('and fits what the vendor’s own client sends', () => {
    expect([...new Set(seen.map(({ where, wrong }) => `${where} ${wrong}`))]).toEqual([])
    expect([...unknown].sort()).toEqual(NEWER_THAN_FALS_CLIENT)
  })

  test('which is a comparison that finds what is wrong', () => {
    const lightning = (body: Record<string, Json>) =>
      falMisfits({ url: 'https://queue.fal.run/fal-ai/fast-lightning-sdxl', body })[1]
    const right = { prompt: 'a', format: 'png', num_images: 2, num_inference_steps: '4' }
    expect(lightning({ ...right, image_size: { width: 64, height: 64 } })).toEqual([])
    expect(lightning({ ...right, output_format: 'png' })).toEqual(['output_format: unknown'])
    expect(lightning({ format: 'png' })).toEqual(['prompt: missing'])
    expect(lightning({ ...right, format: 'webp' })[0]).toStartWith('format: "webp" is no "jpeg"')
    expect(lightning({ ...right, num_inference_steps: 4 })).toEqual([])
    expect(lightning({ ...right, seed: '7' })).toEqual(['seed: "7" is no number'])
    expect(lightning({ ...right, prompt: ['a'] })).toEqual(['prompt: ["a"] is no string'])
    const url = 'https://api.dev.runwayml.com/v1/text_to_video'
    const film = { model: 'gen4.5', promptText: 'a', ratio: '1280:720', duration: 5 }
    expect(runwayMisfits({ url, body: film })[1]).toEqual([])
    expect(runwayMisfits({ url, body: { ...film, ratio: '1:1' } })[1]?.length).toBe(1)
    expect(runwayMisfits({ url, body: { ...film, model: 'gen3' } })[1]?.length).toBe(1)
    expect([...falTypes.values()].filter(members => members !== null).length).toBeGreaterThan(50)
  })

  const fal = readLibrary('@fal-ai/client/src/types/endpoints.d.ts')
  const falTypes = new Map<string, Members | null>()

  function falMisfits({ url, body }: Asked): [string, string[]] {
    const endpoint = new URL(url).pathname.slice(1)
    if (!falTypes.has(endpoint)) falTypes.set(endpoint, falMembers(endpoint))
    const members = falTypes.get(endpoint)
    if (!members) unknown.add(endpoint)
    return [`fal ${endpoint}`, members ? misfits(body, members) : []]
  }

  function falMembers(endpoint: string) {
    const at = fal.indexOf(`\n    "${endpoint}": {`)
    const [, first = ''] = at < 0 ? [] : (/input: (\w+);/.exec(fal.slice(at, at + 300)) ?? [])
    for (let name = first; name !== ''; ) {
      const members = membersOf(fal, `export type ${name} =`)
      if (members) return members
      name = new RegExp(`\nexport type ${name} = (\\w+);`).exec(fal)?.[1] ?? ''
    }
    return null
  }

  function runwayMisfits({ url, body }: Asked): [string, string[]] {
    const path = new URL(url).pathname.split('/').at(-1) ?? ''
    const text = readLibrary(`@runwayml/sdk/resources/${path.replaceAll('_', '-')}.d.ts`)
    const at = text.indexOf(`\n        model: '${body.model}';`)
    if (at < 0) return [`runway ${path}`, [`model: ${body.model} is unknown`]]
    // The member may come right after the line that opens its type.
    const before = text.slice(0, at + 1)
    const opening = before.match(/interface \w+(?= \{\n)/g)?.at(-1) ?? ''
    return [`runway ${path}`, misfits(body, membersOf(text, opening) ?? NOTHING)]
  }

  function lumaMisfits({ url, body }: Asked): [string, string[]] {
    const made = new URL(url).pathname.split('/').at(-1) ?? ''
    const text = readLibrary(`lumaai/resources/generations/${made}.d.ts`)
    const name = `export interface ${made === 'image' ? 'Image' : 'Video'}CreateParams`
    return [`luma ${made}`, misfits(body, membersOf(text, name) ?? NOTHING)]
  }

  function openrouterMisfits({ url, body }: Asked): [string, string[]] {
    const path = new URL(url).pathname.split('/').at(-1) ?? ''
    const name = { images: 'ImageGeneration', videos: 'VideoGeneration' }[path]
    if (!name) return [`openrouter ${path}`, []]
    const text = readLibrary(`@openrouter/sdk/esm/models/${name.toLowerCase()}request.d.ts`)
    const members = membersOf(text, `export type ${name}Request$Outbound =`)
    return [`openrouter ${path}`, misfits(body, members ?? NOTHING)]
  }
})

/** Named by fal's pages and by programs that use them; one more in here is one more to be tried by hand. */
const NEWER_THAN_FALS_CLIENT = [
  'bytedance/seedance-2.0/image-to-video',
  'bytedance/seedance-2.0/text-to-video',
  'fal-ai/reve/edit',
  'fal-ai/reve/remix',
  'fal-ai/reve/text-to-image',
  'google/nano-banana-2-lite',
  'google/nano-banana-2-lite/edit',
  'openai/gpt-image-2',
  'openai/gpt-image-2.5/flare/edit',
  'openai/gpt-image-2.5/flare/text-to-image',
  'openai/gpt-image-2/edit',
]

// --- test keys -------------------------------------------------------------------------------------

describe('a test key', () => {
  const KINDS = ['image', 'image_edit', 'video', 'upscale', 'text'] as const

  test.each(KINDS)('gets something of kind %s from the sandbox', async kind => {
    const model = MODELS.find(each => each.kind === kind)
    if (!model) throw new Error('none of that kind')
    const [least = {}] = inputsOf(model)
    const { job } = await submit(on.deps, {
      realm: on.realm,
      externalId: USER,
      mayHaveWelcomeGrant: true,
      model: model.name,
      input: least,
      priority: 10,
      webhookUrl: null,
      metadata: {},
      idempotency: null,
    })
    await runOut(on)
    const view = viewOf(on, job.id)
    expect(view).toMatchObject({ status: 'succeeded', kind, providerUsed: 'sandbox' })
    const [output] = view.outputs
    if (kind === 'text') {
      expect(output?.text).toContain('lighthouse')
      return
    }
    const [bytes] = await outputBytes(on, job.id)
    expect(output).toMatchObject({
      contentType: kind === 'video' ? CLIP.contentType : 'image/png',
      bytes: bytes?.length,
    })
    if (kind === 'video') expect(Buffer.from(bytes ?? []).toString('latin1', 4, 8)).toBe('ftyp')
  })
})

// --- a later seed ----------------------------------------------------------------------------------

type RouteRow = { provider_model: string; priority: number; config: string; is_enabled: number }

describe('a later seed', () => {
  const MODEL = 'flux-dev'
  const later = (change: (routes: readonly SeedRoute[]) => readonly SeedRoute[]): SeedModel[] =>
    MODELS.map(model => (model.name === MODEL ? { ...model, routes: change(model.routes) } : model))
  const moved = later(routes =>
    routes.map(route => ({ ...route, providerModel: 'moved', priority: route.priority + 7 })),
  )
  const without = later(([first]) => (first ? [first] : []))

  async function fresh() {
    const stageOfItsOwn = await stage({ hub: { isRunning: false } })
    const { db } = stageOfItsOwn.deps
    const route = (provider: string) =>
      rows<RouteRow>(
        stageOfItsOwn,
        `SELECT r.* FROM model_routes r JOIN models m ON m.id = r.model_id
         JOIN providers p ON p.id = r.provider_id WHERE m.name = ? AND p.name = ?`,
        MODEL,
        provider,
      )[0]
    const change = (provider: string, what: string) =>
      db.sqlite.run(
        `UPDATE model_routes SET ${what} WHERE model_id = (SELECT id FROM models WHERE name = ?)
         AND provider_id = (SELECT id FROM providers WHERE name = ?)`,
        [MODEL, provider],
      )
    return { on: stageOfItsOwn, db, route, change }
  }

  test('changes routes that nobody changed, and no others', async () => {
    const { db, route, change } = await fresh()
    change('replicate', 'priority = 99')
    const mine = route('replicate')
    await seed(db, VENDORS, moved)
    expect(route('replicate')).toEqual(mine as RouteRow)
    expect(route('fal')).toMatchObject({ provider_model: 'moved', priority: 9 })
    await seed(db, VENDORS)
    expect(route('fal')).toMatchObject({ provider_model: 'fal-ai/flux/dev', priority: 2 })
  })

  test.each([
    ["provider_model = 'mine'"],
    ['priority = 5'],
    [`config = '{"cost":{"per_output":1}}'`],
  ])('leaves a route alone where %s', async what => {
    const { db, route, change } = await fresh()
    change('fal', what)
    const mine = route('fal')
    await seed(db, VENDORS, moved)
    await seed(db, VENDORS, without)
    expect(route('fal')).toEqual(mine as RouteRow)
  })

  test('switches off what it no longer has, and on again what comes back', async () => {
    const { db, route } = await fresh()
    await seed(db, VENDORS, without)
    expect(route('fal')?.is_enabled).toBe(0)
    expect(route('replicate')?.is_enabled).toBe(1)
    await seed(db, VENDORS, without)
    await seed(db, VENDORS, moved)
    expect(route('fal')).toMatchObject({ is_enabled: 1, provider_model: 'moved' })
  })

  test('never switches on what an operator switched off, nor off what one switched on', async () => {
    const { db, route, change } = await fresh()
    change('fal', 'is_enabled = 0')
    await seed(db, VENDORS, without)
    await seed(db, VENDORS, moved)
    expect(route('fal')).toMatchObject({ is_enabled: 0, provider_model: 'moved' })
    change('fal', 'is_enabled = 1')
    await seed(db, VENDORS, without)
    expect(route('fal')?.is_enabled).toBe(0)
    change('fal', 'is_enabled = 1')
    await seed(db, VENDORS, without)
    expect(route('fal')?.is_enabled).toBe(1)
  })

  test('renames a vendor that nobody renamed, and never switches one on or off', async () => {
    const { on: own, db } = await fresh()
    db.sqlite.run(`UPDATE providers SET display_name = 'Mine' WHERE name = 'fal'`)
    db.sqlite.run(`UPDATE providers SET is_enabled = 0 WHERE name = 'luma'`)
    await seed(
      db,
      VENDORS.map(vendor => ({ ...vendor, displayName: 'New' })),
    )
    const names = rows<{ name: string; display_name: string; is_enabled: number }>(
      own,
      'SELECT name, display_name, is_enabled FROM providers',
    )
    expect(names).toContainEqual({ name: 'fal', display_name: 'Mine', is_enabled: 1 })
    expect(names).toContainEqual({ name: 'luma', display_name: 'New', is_enabled: 0 })
  })

  test('adds no route to what an operator added himself', async () => {
    const { on: own, db } = await fresh()
    const count = () => rows(own, 'SELECT id FROM model_routes').length
    const before = count()
    await seed(db, VENDORS)
    expect(count()).toBe(before)
    expect(before).toBeGreaterThanOrEqual(ROUTES.length)
  })
})
