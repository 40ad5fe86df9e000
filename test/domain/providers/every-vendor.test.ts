import { afterEach, expect, test } from 'bun:test'
import { bflServer } from '@test/vendors/bfl/server'
import { KEY as DEFAPI_KEY, defapiServer } from '@test/vendors/defapi/server'
import { FAL_KEY, startFal } from '@test/vendors/fal/server'
import { KEY as GEMINI_KEY, geminiServer } from '@test/vendors/gemini/server'
import { lumaServer } from '@test/vendors/luma/server'
import { KEY as OPENAI_KEY, openaiServer } from '@test/vendors/openai/server'
import { KEY as OPENROUTER_KEY, openrouterServer } from '@test/vendors/openrouter/server'
import { replicateServer } from '@test/vendors/replicate/server'
import { RUNWAY_KEY, startRunway } from '@test/vendors/runway/server'
import { checkProvider, setKey } from '@/domain/providers'
import { createBfl } from '@/providers/bfl/bfl'
import { createDefapi } from '@/providers/defapi/defapi'
import { createFal } from '@/providers/fal/fal'
import { createGemini } from '@/providers/gemini/gemini'
import { createLuma } from '@/providers/luma/luma'
import { createOpenai } from '@/providers/openai/openai'
import { createOpenrouter } from '@/providers/openrouter/openrouter'
import { createReplicate } from '@/providers/replicate/replicate'
import { createRunway } from '@/providers/runway/runway'
import type { Provider } from '@/providers/spec'
import { VENDORS } from '@/providers/vendors'
import { closeHubs, hubWith } from './vendors'

afterEach(closeHubs)

const ACTOR = { kind: 'shell' as const, id: 'test' }

type Server = { close(): Promise<unknown>; key?: string } & (
  | { baseUrl: string }
  | { origin: string }
)
type Vendor = { start: () => Server; make: (at: { baseUrl: string }) => Provider; key?: string }

const SERVERS: Record<string, Vendor> = {
  replicate: { start: replicateServer, make: createReplicate },
  fal: { start: startFal, make: createFal, key: FAL_KEY },
  openai: { start: openaiServer, make: createOpenai, key: OPENAI_KEY },
  gemini: { start: geminiServer, make: createGemini, key: GEMINI_KEY },
  openrouter: { start: openrouterServer, make: createOpenrouter, key: OPENROUTER_KEY },
  defapi: { start: defapiServer, make: createDefapi, key: DEFAPI_KEY },
  runway: { start: startRunway, make: createRunway, key: RUNWAY_KEY },
  luma: { start: lumaServer, make: createLuma },
  bfl: { start: bflServer, make: createBfl },
}

test('every vendor is here', () => {
  expect(Object.keys(SERVERS)).toEqual(VENDORS.map(({ name }) => name))
})

for (const [name, { start, make, key }] of Object.entries(SERVERS)) {
  test(`a good key of ${name} is taken, and a wrong one is refused without being quoted`, async () => {
    const server = start()
    const baseUrl = 'baseUrl' in server ? server.baseUrl : server.origin
    const good = server.key ?? key ?? ''
    const wrong = `${good}-mistyped`
    const hub = await hubWith([make({ baseUrl })], {
      config: { allowPrivateDestinations: [new URL(baseUrl).host] },
    })
    const check = () => checkProvider(hub.deps, name, new AbortController().signal)
    try {
      await setKey(hub.deps, ACTOR, name, good)
      expect(await check()).toMatchObject({ outcome: 'ok', message: null })
      await setKey(hub.deps, ACTOR, name, wrong)
      const refused = await check()
      expect(refused).toMatchObject({ outcome: 'refused', message: expect.any(String) })
      expect(JSON.stringify(refused)).not.toContain(good)
    } finally {
      await server.close()
    }
  })
}
