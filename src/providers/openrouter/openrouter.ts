import { SECOND } from '@/base/clock'
import { checkInHand } from '../data-url'
import { ProviderError } from '../errors'
import type { Provider, ProviderContext, ProviderInput, StartResult } from '../spec'
import { withoutPictures } from '../without-pictures'
import { KeyAnswer } from './answers'
import { ask } from './ask'
import { readCallback } from './callback'
import { drawByChat, writeTexts } from './chat'
import { makeImages } from './images'
import { OpenrouterParams } from './params'
import { refusalOf } from './refusal'
import { pollVideos, startVideos } from './videos'

export type OpenrouterOptions = {
  /** Without a slash at the end. Its origin is the only place the key goes to. */
  baseUrl?: string
}

/**
 * OpenRouter: one account in front of many vendors. Pictures and texts are answered at once, videos are jobs
 * to ask about. Pictures are drawn by the endpoint for pictures, or by chat where the route's constants name
 * `modalities`, which only chat has: `["image", "text"]`, or `["image"]` for models that cannot talk.
 */
export function createOpenrouter({
  baseUrl = 'https://openrouter.ai/api/v1',
}: OpenrouterOptions = {}): Provider {
  return withoutPictures({
    name: 'openrouter',
    params: OpenrouterParams,
    start: (input, ctx) => make(input, ctx, baseUrl),
    poll: (operation, ctx) => pollVideos(operation, ctx, baseUrl),
    parseCallback: async (rawBody, headers, ctx) => readCallback(rawBody, headers, ctx),
    check: ctx => checkKey(ctx, baseUrl),
  })
}

async function make(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<StartResult> {
  const { kind, images, config } = input
  // They are sent as they are: pictures in hand are what the vendor takes, too, and of any size that it names.
  checkInHand(images)
  if (kind === 'text') return await writeTexts(input, ctx, baseUrl)
  if (kind === 'video') return await startVideos(input, ctx, baseUrl)
  if (kind !== 'image' && kind !== 'image_edit') throw refusal(`openrouter makes no ${kind}`)
  if (kind === 'image_edit' && images.length === 0) throw refusal('there is no picture to change')
  const isByChat = config.constants?.modalities !== undefined
  return isByChat ? await drawByChat(input, ctx, baseUrl) : await makeImages(input, ctx, baseUrl)
}

function refusal(why: string): ProviderError {
  return new ProviderError('rejected', why, { reason: 'input' })
}

const CHECK_TIMEOUT_MS = 15 * SECOND

/** Throws `unavailable` also for a true key that can buy nothing: its limit is used up, or it only manages. */
async function checkKey(ctx: ProviderContext, baseUrl: string): Promise<void> {
  const answer = await ask(ctx, { url: `${baseUrl}/key`, timeoutMs: CHECK_TIMEOUT_MS })
  const read = KeyAnswer.safeParse(answer.json)
  if (answer.status !== 200 || !read.success) throw refusalOf(answer)
  const { limit_remaining, is_management_key } = read.data.data
  if (is_management_key === true) {
    throw unusable('a management key makes nothing')
  }
  if (typeof limit_remaining === 'number' && limit_remaining <= 0) {
    throw unusable('the limit of the key is used up')
  }
}

function unusable(why: string): ProviderError {
  return new ProviderError('unavailable', why, { isPermanent: true })
}
