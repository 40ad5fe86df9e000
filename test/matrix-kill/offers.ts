import { bflServer } from '@test/vendors/bfl/server'
import { KEY as DEFAPI_KEY, defapiServer } from '@test/vendors/defapi/server'
import { FAL_KEY, startFal } from '@test/vendors/fal/server'
import { KEY as GEMINI_KEY, geminiServer } from '@test/vendors/gemini/server'
import { lumaServer } from '@test/vendors/luma/server'
import { KEY as OPENAI_KEY, openaiServer } from '@test/vendors/openai/server'
import { KEY as OPENROUTER_KEY, openrouterServer } from '@test/vendors/openrouter/server'
import { replicateServer } from '@test/vendors/replicate/server'
import { RUNWAY_KEY, startRunway } from '@test/vendors/runway/server'
import { createBfl } from '@/providers/bfl/bfl'
import { createDefapi } from '@/providers/defapi/defapi'
import { createFal } from '@/providers/fal/fal'
import { createGemini } from '@/providers/gemini/gemini'
import { createLuma } from '@/providers/luma/luma'
import { createOpenai } from '@/providers/openai/openai'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import { createReplicate } from '@/providers/replicate/replicate'
import { createRunway } from '@/providers/runway/runway'
import type { Provider, RouteConfig } from '@/providers/spec'

/** A vendor that is open: it counts what was started there, and outlives whoever started it. */
export type Shop = { baseUrl: string; key: string; starts(): number; close(): Promise<void> }

/** One thing that one vendor sells: a row of the matrix. */
export type Offer = {
  name: string
  provider: string
  /** Where the adapter's key comes from. */
  variable: string
  kind: 'image' | 'video'
  providerModel: string
  config: RouteConfig
  /** How many are ordered: as many as one start makes. */
  outputs: number
  /**
   * What a start or a poll brings. `addresses`: an operation, then where the outputs lie. `bytes`: an
   * operation, and the poll that finds its end fetches the outputs. `at once`: the start is the outputs.
   */
  brings: 'addresses' | 'bytes' | 'at once'
  /** The hub has a public address, so the vendor can be asked what became of a lost start. */
  canBeFound: boolean
  open(): Shop
}

const USUAL = { config: {}, outputs: 1, canBeFound: false } as const

const REPLICATE: Offer = {
  ...USUAL,
  name: 'replicate',
  provider: 'replicate',
  variable: 'REPLICATE_API_TOKEN',
  kind: 'image',
  providerModel: 'black-forest-labs/flux-schnell',
  outputs: 2,
  brings: 'addresses',
  open() {
    const server = replicateServer()
    const { baseUrl, key, close } = server
    return { baseUrl, key, close, starts: () => server.counts.create }
  },
}

const LUMA: Offer = {
  ...USUAL,
  name: 'luma',
  provider: 'luma',
  variable: 'LUMAAI_API_KEY',
  kind: 'video',
  providerModel: 'ray-2',
  brings: 'addresses',
  open() {
    const server = lumaServer()
    const { baseUrl, key, close } = server
    return { baseUrl, key, close, starts: () => server.counts.create }
  },
}

const OPENROUTER: Pick<Offer, 'provider' | 'variable' | 'open'> = {
  provider: 'openrouter',
  variable: 'OPENROUTER_API_KEY',
  open() {
    const server = openrouterServer()
    const { baseUrl, close } = server
    return { baseUrl, key: OPENROUTER_KEY, close, starts: () => server.starts().length }
  },
}

const GEMINI: Pick<Offer, 'provider' | 'variable' | 'open'> = {
  provider: 'gemini',
  variable: 'GOOGLE_AI_API_KEY',
  open() {
    const server = geminiServer()
    const { baseUrl, close } = server
    const starts = () => server.of('generate').length + server.of('start').length
    return { baseUrl, key: GEMINI_KEY, close, starts }
  },
}

export const OFFERS: readonly Offer[] = [
  REPLICATE,
  { ...REPLICATE, name: 'replicate, asked', canBeFound: true },
  {
    ...USUAL,
    name: 'fal',
    provider: 'fal',
    variable: 'FAL_KEY',
    kind: 'image',
    providerModel: 'fal-ai/flux/schnell',
    outputs: 2,
    brings: 'addresses',
    open() {
      const server = startFal()
      const { origin, close } = server
      return { baseUrl: origin, key: FAL_KEY, close, starts: () => server.count('submit') }
    },
  },
  {
    ...USUAL,
    name: 'openai',
    provider: 'openai',
    variable: 'OPENAI_API_KEY',
    kind: 'image',
    providerModel: 'gpt-image-2',
    outputs: 2,
    brings: 'at once',
    open() {
      const server = openaiServer()
      const { baseUrl, close } = server
      return { baseUrl, key: OPENAI_KEY, close, starts: () => server.starts().length }
    },
  },
  {
    ...USUAL,
    ...GEMINI,
    name: 'gemini, images',
    kind: 'image',
    providerModel: 'gemini-2.5-flash-image',
    brings: 'at once',
  },
  {
    ...USUAL,
    ...GEMINI,
    name: 'gemini, veo',
    kind: 'video',
    providerModel: 'veo-3.1-generate-preview',
    brings: 'bytes',
  },
  {
    ...USUAL,
    ...OPENROUTER,
    name: 'openrouter, chat image',
    kind: 'image',
    providerModel: 'google/gemini-3.1-flash-image',
    config: { constants: { modalities: ['image', 'text'] } },
    brings: 'at once',
  },
  {
    ...USUAL,
    ...OPENROUTER,
    name: 'openrouter, video',
    kind: 'video',
    providerModel: 'google/veo-3.1',
    brings: 'bytes',
  },
  {
    ...USUAL,
    name: 'defapi',
    provider: 'defapi',
    variable: 'DEFAPI_API_KEY',
    kind: 'image',
    providerModel: 'google/nano-banana',
    brings: 'addresses',
    open() {
      const server = defapiServer()
      const { baseUrl, close } = server
      return { baseUrl, key: DEFAPI_KEY, close, starts: () => server.of('submit').length }
    },
  },
  {
    ...USUAL,
    name: 'runway',
    provider: 'runway',
    variable: 'RUNWAYML_API_SECRET',
    kind: 'video',
    providerModel: 'gen4.5',
    config: { aspect_ratios: { '16:9': '1280:720' } },
    brings: 'addresses',
    open() {
      const server = startRunway()
      const { origin, close } = server
      return { baseUrl: origin, key: RUNWAY_KEY, close, starts: () => server.count('create') }
    },
  },
  LUMA,
  { ...LUMA, name: 'luma, asked', canBeFound: true },
  {
    ...USUAL,
    name: 'bfl',
    provider: 'bfl',
    variable: 'BFL_API_KEY',
    kind: 'image',
    providerModel: 'flux-2-pro',
    brings: 'addresses',
    open() {
      const server = bflServer()
      const { baseUrl, key, close } = server
      return { baseUrl, key, close, starts: () => server.counts.create }
    },
  },
]

/** The true adapter, told another address of its vendor and nothing else. */
export function adapterOf(provider: string, baseUrl: string): Provider {
  const create = ADAPTERS[provider]
  if (!create) throw new Error(`no adapter is named ${provider}`)
  return create({ baseUrl })
}

const ADAPTERS: { [provider: string]: (options: { baseUrl: string }) => Provider } = {
  replicate: createReplicate,
  fal: createFal,
  openai: createOpenai,
  gemini: createGemini,
  openrouter: createOpenrouter,
  defapi: createDefapi,
  runway: createRunway,
  luma: createLuma,
  bfl: createBfl,
}
