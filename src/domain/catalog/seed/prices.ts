import type { PriceSource } from './types'

/** Where the rates of the routes come from. Each is a page that people look at again when a price moves. */
export const REPLICATE_PAGES: PriceSource = {
  source: 'replicate.com, pricing and model pages',
  date: '2026-02-07',
  certainty: 'published',
}
export const FAL_PAGES: PriceSource = {
  source: 'fal.ai, model pages',
  date: '2026-09',
  certainty: 'published',
}
export const OPENAI_PAGES: PriceSource = {
  source: 'developers.openai.com, model and pricing pages',
  date: '2026-11',
  certainty: 'published',
}
export const RUNWAY_CREDITS: PriceSource = {
  source: 'Runway credits a second or picture, a cent each, as its users list them',
  date: '2026-10',
  certainty: 'reported',
}
export const LUMA_PIXELS: PriceSource = {
  source: 'worked out of Luma’s price for a million pixels',
  date: '2026-07',
  certainty: 'estimated',
}
/** What others who sell or use the same endpoint say that they pay. */
export const RESELLERS: PriceSource = {
  source: 'pages of resellers and users of the endpoint',
  date: '2026-09',
  certainty: 'reported',
}
/** Priced by machine time, by token, or not at all in public. */
export const GUESS: PriceSource = {
  source: 'worked out of the price of the closest endpoint, or of a usual call',
  date: '2026-11',
  certainty: 'estimated',
}
