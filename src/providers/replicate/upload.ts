import { z } from 'zod'
import type { PictureInHand } from '../data-url'
import { ProviderError } from '../errors'
import { handOver } from '../hand-over'
import { mayHaveKey } from '../http'
import type { ProviderContext } from '../spec'
import { uploadTimeoutMs } from '../upload-time'
import { ask } from './ask'
import { errorOfUpload } from './failure'

/**
 * The pictures as inputs of a prediction. The vendor takes files as large as any picture in hand is, and
 * deletes them after a day.
 */
export async function uploadedTo(
  baseUrl: string,
  images: readonly string[],
  ctx: ProviderContext,
): Promise<string[]> {
  return await handOver(images, ctx, {
    vendor: 'Replicate',
    inlineBytes: INLINE_BYTES,
    upload: (picture, filename) => upload(baseUrl, picture, filename, ctx),
  })
}

/** What the vendor advises for data URLs: every look at a prediction brings its inputs back. */
const INLINE_BYTES = 256 * 1024

const Uploaded = z.object({ urls: z.object({ get: z.string() }) })

async function upload(
  baseUrl: string,
  { bytes, contentType }: PictureInHand,
  filename: string,
  ctx: ProviderContext,
): Promise<string> {
  const body = new FormData()
  body.append('content', new File([bytes], filename, { type: contentType }))
  const timeoutMs = uploadTimeoutMs(bytes.length, ctx)
  const answer = await ask(ctx, { url: `${baseUrl}/files`, method: 'POST', body, timeoutMs })
  if (answer.status < 200 || answer.status > 299) throw errorOfUpload(answer)
  const uploaded = Uploaded.safeParse(answer.json)
  // The vendor fetches it with rights of its own, as no other host would let it.
  if (uploaded.success && mayHaveKey(baseUrl, uploaded.data.urls.get)) return uploaded.data.urls.get
  throw new ProviderError('unavailable', 'the upload was answered without an address of Replicate')
}
