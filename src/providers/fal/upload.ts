import { z } from 'zod'
import { DAY, SECOND } from '@/base/clock'
import type { PictureInHand } from '../data-url'
import { ProviderError } from '../errors'
import { handOver } from '../hand-over'
import { errorOfStatus } from '../http'
import { sendToStore } from '../send-to-store'
import type { ProviderContext } from '../spec'
import { uploadTimeoutMs } from '../upload-time'
import { ask } from './ask'
import type { FalHosts } from './hosts'

/** The pictures as inputs of an endpoint. */
export async function uploadedTo(
  hosts: FalHosts,
  images: readonly string[],
  ctx: ProviderContext,
): Promise<string[]> {
  return await handOver(images, ctx, {
    vendor: 'fal',
    inlineBytes: INLINE_BYTES,
    mostBytes: MOST_BYTES,
    upload: (picture, filename) => upload(hosts, picture, filename, ctx),
  })
}

/** fal takes larger ones, too, and calls them slow. */
const INLINE_BYTES = 64 * 1024
/** Its own client sends what is larger in parts. */
const MOST_BYTES = 90 * 1024 * 1024
/**
 * Longer than any request waits in its queue. By default fal keeps files for a week and longer, and whoever
 * knows the address may read them.
 */
const LIFETIME_SECONDS = DAY / SECOND

const Initiated = z.object({ upload_url: z.string(), file_url: z.string() })

async function upload(
  hosts: FalHosts,
  { bytes, contentType }: PictureInHand,
  filename: string,
  ctx: ProviderContext,
): Promise<string> {
  const { upload_url, file_url } = await initiate(hosts, contentType, filename, ctx)
  await sendToStore('fal', ctx, {
    url: upload_url,
    method: 'PUT',
    headers: { 'content-type': contentType },
    body: bytes,
    timeoutMs: uploadTimeoutMs(bytes.length, ctx),
  })
  return file_url
}

async function initiate(
  hosts: FalHosts,
  contentType: string,
  filename: string,
  ctx: ProviderContext,
): Promise<z.infer<typeof Initiated>> {
  const answer = await ask(ctx, {
    url: `${hosts.rest}/storage/upload/initiate?storage_type=fal-cdn-v3`,
    method: 'POST',
    headers: {
      'x-fal-object-lifecycle': JSON.stringify({ expiration_duration_seconds: LIFETIME_SECONDS }),
    },
    json: { content_type: contentType, file_name: filename },
  })
  if (answer.status < 200 || answer.status > 299) throw errorOfStatus(answer)
  const initiated = Initiated.safeParse(answer.json)
  if (!initiated.success) throw new ProviderError('unavailable', 'fal named no place for an upload')
  // Whatever lies elsewhere would be read by the model in the place of the caller's picture.
  if (hosts.isOfItsFiles(initiated.data.file_url)) return initiated.data
  throw new ProviderError('unavailable', 'fal named a file that is not its own')
}
