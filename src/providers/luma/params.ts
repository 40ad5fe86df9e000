import { z } from 'zod'

const Address = z.url({ protocol: /^https$/ }).max(2_048)
const Reference = z.strictObject({
  url: Address,
  weight: z.number().min(0).max(1).exactOptional(),
})

/**
 * What a caller may put under `provider_params.luma`: the parts of the vendor's own input that the hub has
 * no word for. A list of what is allowed, for three things must stay out: addresses that the vendor calls,
 * what is paid by (resolution, duration), and key frames by the id of a generation, which could be one of
 * anybody who shares the account.
 */
export const LumaParams = z.strictObject({
  style_ref: z.array(Reference).min(1).max(4).exactOptional(),
  character_ref: z
    .strictObject({
      identity0: z.strictObject({ images: z.array(Address).min(1).max(4) }),
    })
    .exactOptional(),
  concepts: z
    .array(z.strictObject({ key: z.string().min(1).max(64) }))
    .max(8)
    .exactOptional(),
  loop: z.boolean().exactOptional(),
})

/** Which of them go with what is made. */
export const PARAMS_OF: Record<'image' | 'video', readonly string[]> = {
  image: ['style_ref', 'character_ref'],
  video: ['concepts', 'loop'],
}
