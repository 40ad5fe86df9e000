import { z } from 'zod'

/**
 * What a caller may put under `provider_params.bfl`: the parts of the vendor's own input that the hub has no
 * word for. A list of what is allowed, for three things must stay out: what is paid by (width, height,
 * further pictures), addresses that the vendor calls, and `safety_tolerance`, for the account answers for
 * what it lets through. An operator who wants another tolerance writes it into the route as a constant.
 */
export const BflParams = z.strictObject({
  prompt_upsampling: z.boolean().exactOptional(),
  /** Of `flux-2-flex`; fifty are its default and its most, and the price is not by them. */
  steps: z.int().min(1).max(50).exactOptional(),
})
