import { z } from 'zod'
import type { PictureInHand } from '../data-url'
import { ProviderError } from '../errors'
import { handOver } from '../hand-over'
import { sendToStore } from '../send-to-store'
import type { ProviderContext } from '../spec'
import { uploadTimeoutMs } from '../upload-time'
import { ask } from './ask'
import { createError } from './errors'

/** The pictures as inputs of a task. The vendor takes uploads of 200 MB, more than a picture in hand has. */
export async function uploadedTo(
  origin: string,
  images: readonly string[],
  ctx: ProviderContext,
): Promise<string[]> {
  return await handOver(images, ctx, {
    vendor: 'Runway',
    inlineBytes: INLINE_BYTES,
    upload: (picture, filename) => upload(origin, picture, filename, ctx),
  })
}

/** What becomes a data URL of 5 MB, which is the vendor's limit, with some room. */
const INLINE_BYTES = 3_700_000

/** The fields of a form, which the store wants back as they are: they hold its signature. */
const Place = z.object({
  uploadUrl: z.string(),
  fields: z.record(z.string(), z.string()),
  runwayUri: z.string().regex(/^runway:\/\/\S+$/),
})

/** It is gone after a day. */
async function upload(
  origin: string,
  { bytes, contentType }: PictureInHand,
  filename: string,
  ctx: ProviderContext,
): Promise<string> {
  const { uploadUrl, fields, runwayUri } = await placeFor(origin, filename, ctx)
  const body = new FormData()
  for (const [name, value] of Object.entries(fields)) body.append(name, value)
  // The file comes last: such a store reads no field behind it.
  body.append('file', new File([bytes], filename, { type: contentType }))
  await sendToStore('Runway', ctx, {
    url: uploadUrl,
    method: 'POST',
    body,
    timeoutMs: uploadTimeoutMs(bytes.length, ctx),
  })
  return runwayUri
}

async function placeFor(
  origin: string,
  filename: string,
  ctx: ProviderContext,
): Promise<z.infer<typeof Place>> {
  const json = { filename, type: 'ephemeral' }
  const answer = await ask(ctx, { url: `${origin}/v1/uploads`, method: 'POST', json })
  if (answer.status < 200 || answer.status > 299) throw createError(answer)
  const place = Place.safeParse(answer.json)
  if (place.success) return place.data
  throw new ProviderError('unavailable', 'Runway named no place for an upload')
}
