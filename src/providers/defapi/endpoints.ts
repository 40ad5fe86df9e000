import { ProviderError } from '../errors'
import type { RouteConfig } from '../spec'

/** How one of the vendor's endpoints wants to be asked. */
export type Endpoint = {
  path: string
  /** Our field -> the vendor's. What is not here is not sent. */
  fields: { [ours: string]: string }
  /** Which of the caller's own parameters it takes. */
  params?: string[]
  /** An endpoint of one model alone takes no name of it. */
  hasNoModel?: true
  takesCallback?: true
  /** People were seen to send it pictures in hand; of the others all that is known are addresses. */
  takesInHand?: true
  /** Seconds as text: "10". */
  durationIsText?: true
  /** Prompt and pictures as a list of things said, as in a chat. */
  hasContent?: true
}

/**
 * The endpoint of a model. A route may name another one in its constants (`endpoint`), which is then asked
 * in the most common form. Throws `unavailable` for a model that we cannot place: a route of ours is wrong.
 */
export function endpointOf(model: string, config: RouteConfig): Endpoint {
  const named = config.constants?.endpoint
  if (named === undefined) {
    const known = BY_MODEL.find(([prefix]) => model.startsWith(prefix))?.[1]
    if (known) return known
  } else if (typeof named === 'string' && PATH.test(named)) {
    return BY_MODEL.find(([, { path }]) => path === named)?.[1] ?? { ...COMMON, path: named }
  }
  const message = `defapi has no endpoint for ${model}`
  throw new ProviderError('unavailable', message, { isPermanent: true })
}

const PATH = /^\/api\/[a-z0-9]+(?:[/-][a-z0-9]+)*$/
const COMMON = { fields: { images: 'images[]', aspect_ratio: 'aspect_ratio' } }
const IMAGE: Endpoint = {
  path: '/api/image/gen',
  fields: { ...COMMON.fields, resolution: 'image_size' },
  takesCallback: true,
  takesInHand: true,
}
const GPT_IMAGE: Endpoint = {
  path: '/api/gpt-image/gen',
  fields: { images: 'images[]', aspect_ratio: 'size', quality: 'quality' },
  params: ['background'],
}
const WAN: Endpoint = { path: '/api/wan-image/gen', fields: { aspect_ratio: 'aspect_ratio' } }
const IMAGINE: Endpoint = {
  path: '/api/midjourney/imagine',
  fields: {},
  params: ['bot_type'],
  hasNoModel: true,
}
const MIDJOURNEY_EDITS: Endpoint = {
  path: '/api/midjourney/edits',
  fields: { images: 'image' },
  hasNoModel: true,
}
const SORA: Endpoint = {
  path: '/api/sora2/gen',
  fields: { ...COMMON.fields, duration_seconds: 'duration' },
  durationIsText: true,
}
const SEEDANCE: Endpoint = {
  path: '/api/video/seedance/gen',
  fields: { aspect_ratio: 'ratio', duration_seconds: 'duration' },
  hasContent: true,
}
const VEO: Endpoint = {
  path: '/api/google/veo/generate',
  fields: { images: 'image', aspect_ratio: 'aspect_ratio' },
}
const GROK: Endpoint = { ...SORA, path: '/api/grok-imagine-video/gen' }

/** The longer beginning comes first. */
const BY_MODEL: [string, Endpoint][] = [
  ['google/veo', VEO],
  ['google/', IMAGE],
  ['openai/gpt-image', GPT_IMAGE],
  ['wan-', WAN],
  ['midjourney/edits', MIDJOURNEY_EDITS],
  ['midjourney', IMAGINE],
  ['sora-2', SORA],
  ['seedance-', SEEDANCE],
  ['grok-imagine-video', GROK],
]
