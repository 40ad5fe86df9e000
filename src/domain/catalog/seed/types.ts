import type { RouteConfig } from '@/providers/spec'
import type { VendorName, VendorRow } from '@/providers/vendors'

/** What a fresh install sells. Data: an operator may change every row, and a later seed leaves those alone. */
export type SeedModel = {
  name: string
  displayName: string
  kind: 'image' | 'image_edit' | 'video' | 'upscale' | 'text'
  family: string
  description: string
  /** For one output, whatever its options: each model offers only what this price covers. */
  tokenCost: number
  maxInputImages: number
  supportsPrompt: boolean
  /** The first is the default. None: the model has no choice of shape. */
  aspectRatios: readonly string[]
  /** JSON Schema properties of fields beyond the common ones. */
  fields: Readonly<Record<string, object>>
  /** Who serves it, at most once a vendor. */
  routes: readonly SeedRoute[]
}

export type SeedRoute = {
  provider: VendorName
  /** The vendor's own name of the model. */
  providerModel: string
  /** Least first: ids that are certain before those that are not, then the cheaper one. */
  priority: number
  config: RouteConfig
  /** How many of it may run at once there; absent: as many as come. */
  maxConcurrent?: number
  /** 0 to 100, for the strategies that weigh it: what this route makes beside the others of the model. */
  quality?: number
  /** Where the rates of `config.cost` come from. Kept here only, for whoever looks after the catalogue. */
  price: PriceSource
}

export type PriceSource = {
  source: string
  /** `YYYY-MM` or `YYYY-MM-DD`: how old the source is. */
  date: string
  /** The vendor's own words, somebody else's, or a guess of ours from a price by another unit. */
  certainty: 'published' | 'reported' | 'estimated'
}

/** A vendor's row, as far as the catalogue knows it. Null: it needs no key. */
export type SeedProvider = Pick<VendorRow, 'name' | 'displayName' | 'usualAtOnce'> & {
  apiKeyEnvVar: string | null
}
