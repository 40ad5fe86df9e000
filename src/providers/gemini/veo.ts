import { MINUTE, SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { ProviderError, toProviderError } from '../errors'
import { several, worst } from '../several'
import type {
  Done,
  Operation,
  Output,
  Pending,
  ProviderContext,
  ProviderInput,
  ProviderUsage,
  StartResult,
} from '../spec'
import { ask, askAbout, keyHeaders, modelPath } from './api'
import { secondsOf, videoBody } from './body'
import { downloadVideo } from './download'
import { geminiStartError } from './errors'
import {
  isOperationName,
  readOperation,
  readStanding,
  type Standing,
  type VideoOperation,
} from './operation'
import { readParams } from './params'
import { fetchPictures } from './pictures'

/** The request may carry pictures of many megabytes. */
const START_TIMEOUT_MS = MINUTE
/** Google's guidance. A video takes one to six minutes, so later looks are rarer. */
const POLL_MS = 10 * SECOND
const LATEST_POLL_MS = 30 * SECOND
/** A sixth of the time that has passed: no video is found late by more than that. */
const PART_OF_WAITING = 6

/** Begins one operation a video, or one for as many as the route says one call makes. */
export async function startVideos(
  baseUrl: string,
  input: ProviderInput,
  ctx: ProviderContext,
): Promise<Pending> {
  // Before anything is fetched: without a key or with wrong parameters no picture is of use.
  keyHeaders(ctx)
  readParams(input)
  const pictures = await fetchPictures(input.images, ctx)
  const { with_images_model: withImages, cost, outputs_per_call: perCall = 1 } = input.config
  const model = pictures.length > 0 && withImages ? withImages : input.providerModel
  const url = `${baseUrl}${modelPath(model)}:predictLongRunning`
  const bodies = portions(input.numOutputs, perCall).map(count => videoBody(input, pictures, count))

  const names = await several(
    bodies.map(async json => {
      const request = { url, method: 'POST', json, timeoutMs: START_TIMEOUT_MS }
      const answer = await ask(ctx, request)
      if (answer.status !== 200) throw geminiStartError(answer, ctx.apiKey)
      return nameOf(answer.json)
    }),
  )
  const operation: VideoOperation = {
    names,
    started_at_ms: ctx.nowMs,
    seconds: bodies[0] ? secondsOf(bodies[0]) : null,
    rates: cost ?? null,
  }
  return pending(operation, ctx)
}

/** Done when every operation has ended: then the videos that there are come as bytes. */
export async function pollVideos(
  baseUrl: string,
  stored: Operation,
  ctx: ProviderContext,
): Promise<StartResult> {
  const operation = readOperation(stored)
  const standings = await Promise.all(
    operation.names.map(async name => {
      return readStanding(await askAbout(ctx, { url: `${baseUrl}/${name}` }), ctx.apiKey)
    }),
  )
  if (standings.some(({ state }) => state === 'running')) return pending(operation, ctx)
  return await gather(baseUrl, operation, standings, ctx)
}

async function gather(
  baseUrl: string,
  operation: VideoOperation,
  standings: Standing[],
  ctx: ProviderContext,
): Promise<Done> {
  const made = standings.flatMap(standing => (standing.state === 'made' ? [standing.uris] : []))
  if (made.length === 0) {
    throw worst(standings.flatMap(standing => (standing.state === 'ended' ? [standing.error] : [])))
  }
  const { origin } = new URL(baseUrl)
  const bytes = await whole(made.flat().map(uri => fetched(uri, origin, ctx)))
  const outputs = bytes.map((video): Output => ({ type: 'file', bytes: video, contentType: null }))
  return { state: 'done', outputs, usage: usageOf(operation, made.length, outputs.length) }
}

/** A video that is gone costs itself and not the others; one that only broke off is waited for. */
async function whole(downloads: Promise<Uint8Array>[]): Promise<Uint8Array[]> {
  const settled = await Promise.allSettled(downloads)
  const errors = settled.flatMap(it =>
    it.status === 'rejected' ? [toProviderError(it.reason)] : [],
  )
  const forNow = errors.find(({ kind }) => kind !== 'unavailable')
  if (forNow) throw forNow
  return await several(downloads)
}

/** What breaks on the way says nothing of the video: it is there and is asked for again. */
async function fetched(uri: string, origin: string, ctx: ProviderContext): Promise<Uint8Array> {
  try {
    return await downloadVideo(uri, origin, ctx)
  } catch (error) {
    if (error instanceof ProviderError) throw error
    throw new ProviderError('unknown_outcome', 'a video could not be fetched', { cause: error })
  }
}

function pending(operation: VideoOperation, { nowMs }: ProviderContext): Pending {
  const waited = nowMs - operation.started_at_ms
  const pollAfterMs = Math.min(
    Math.max(Math.floor(waited / PART_OF_WAITING), POLL_MS),
    LATEST_POLL_MS,
  )
  return { state: 'pending', operation, pollAfterMs }
}

/** An answer without a name may be that of an operation which runs. */
function nameOf(json: unknown): string {
  const name = typeof json === 'object' && json !== null && 'name' in json ? json.name : undefined
  if (typeof name === 'string' && isOperationName(name)) return name
  throw new ProviderError('unknown_outcome', 'the start was answered without a name')
}

function usageOf(operation: VideoOperation, calls: number, outputs: number): ProviderUsage {
  const seconds = operation.seconds === null ? null : operation.seconds * outputs
  const cost = costMicroUsd(operation.rates, { calls, outputs, seconds })
  return {
    ...(seconds === null ? {} : { seconds }),
    ...(cost === null ? {} : { costMicroUsd: cost }),
  }
}

/** 5 in portions of 2 are 2, 2 and 1. */
function portions(count: number, most: number): number[] {
  const whole = Array.from({ length: Math.floor(count / most) }, () => most)
  return count % most === 0 ? whole : [...whole, count % most]
}
