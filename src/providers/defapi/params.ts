import { z } from 'zod'

/**
 * What a caller may pass through, by the vendor's own names. Not here, and so refused: what costs more
 * (`speed`, `quality`, sizes), what we set ourselves (`model`, `prompt`, `images`), and `callback_url`.
 */
export const DefapiParams = z.strictObject({
  background: z.enum(['auto', 'opaque', 'transparent']).optional(),
  bot_type: z.enum(['MID_JOURNEY', 'NIJI_JOURNEY']).optional(),
})
