import { z } from 'zod'

/**
 * What a caller may not say under `input.provider_params.fal`. A list of what is refused and not of what is
 * allowed, because fal has a thousand endpoints with fields of their own.
 */
const REFUSED: Record<string, string> = {
  ...reason('changes how the answer is delivered', ['sync_mode', 'request_id']),
  ...reason('is the operator’s to decide', [
    'enable_safety_checker',
    'enable_output_safety_checker',
    'enable_prompt_safety_checker',
    'safety_checker_version',
    'safety_tolerance',
  ]),
  // What is sold is priced by what the model's own input schema offers.
  ...reason('changes what the call costs and is no field of this model', [
    'num_images',
    'max_images',
    'num_outputs',
    'num_videos',
    'duration',
    'num_frames',
    'resolution',
    'target_resolution',
    'image_size',
    'quality',
    'rendering_speed',
    'generate_audio',
    'scale',
    'scale_factor',
    'upscale_factor',
    'upscale_mode',
    'enable_web_search',
  ]),
  ...reason('goes under input.images', ['image_url', 'image_urls', 'start_image_url']),
  // They are no inputs of a model: credentials and addresses are ours alone.
  ...reason('is not an input of a model', [
    'model',
    'key',
    'api_key',
    'credentials',
    'authorization',
    'fal_key',
    'fal_webhook',
    'webhook',
    'webhook_url',
    'callback_url',
    'provider_keys',
    'headers',
  ]),
}

/** `input.provider_params.fal`: any inputs of the endpoint but those above. */
export const FalParams = z.record(z.string(), z.json()).superRefine((params, context) => {
  for (const name of Object.keys(params)) {
    const why = Object.hasOwn(REFUSED, name) ? REFUSED[name] : undefined
    if (why) context.addIssue({ code: 'custom', path: [name], message: `${name} ${why}` })
  }
})

function reason(why: string, names: string[]): Record<string, string> {
  return Object.fromEntries(names.map(name => [name, why]))
}
