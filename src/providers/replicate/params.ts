import { z } from 'zod'

/**
 * What a caller may put under `provider_params.replicate`. Every model has inputs of its own, so this is
 * a list of what may not be there:
 * - what the price was quoted for: it comes from the model's own input, which was checked and priced
 * - keys and addresses that the vendor would use or call: those of the account are ours, others' are not
 *   for us to keep
 * - the switches of safety: the account answers for what they let through, so the operator decides
 */
export const ReplicateParams = z.record(z.string(), z.json()).superRefine((params, issues) => {
  for (const name of Object.keys(params)) {
    const reason = whyNot(name)
    if (reason !== null) {
      issues.addIssue({ code: 'custom', path: [name], message: `${name} ${reason}` })
    }
  }
})

function whyNot(name: string): string | null {
  if (PRICED.has(name)) return 'is set by the model of this hub'
  if (CREDENTIAL.test(name) || ADDRESS.test(name)) return 'is no parameter of a model'
  if (SAFETY.test(name)) return 'is for the operator to decide'
  return null
}

/** How much is made, and how large: the names that the vendor's models use for it. */
const PRICED = new Set([
  'batch_size',
  'duration',
  'fps',
  'frames',
  'height',
  'image_size',
  'max_images',
  'max_new_tokens',
  'max_tokens',
  'megapixels',
  'mode',
  'n',
  'num_frames',
  'num_images',
  'num_inference_steps',
  'num_outputs',
  'num_samples',
  'number_of_images',
  'output_megapixels',
  'quality',
  'resolution',
  'scale',
  'scale_factor',
  'sequential_image_generation',
  'size',
  'steps',
  'upscale_factor',
  'width',
])
const CREDENTIAL = /(^|_)(api_?key|key|password|secret|token|authorization|auth)$/i
const ADDRESS = /webhook|callback/i
const SAFETY = /safety|moderation|nsfw/i
