import { MINUTE, SECOND } from '@/base/clock'
import { costMicroUsd } from '../cost'
import { ProviderError } from '../errors'
import { modelOf } from '../map-input'
import { kept, portions, several } from '../several'
import type {
  Done,
  Operation,
  Pending,
  ProviderContext,
  ProviderInput,
  ProviderUsage,
  StartResult,
} from '../spec'
import { transferMs } from '../upload-time'
import { ask, askAbout, modelPath } from './api'
import { secondsOf, videoBody } from './body'
import { downloadVideo } from './download'
import { geminiStartError } from './errors'
import { isOperationName, readOperation, readStanding, type VideoOperation } from './operation'
import { readParams } from './params'
import { takePictures } from './pictures'

/** Besides the time for the pictures, which may have many megabytes. */
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
  // Before anything is fetched: with wrong parameters no picture is of use.
  readParams(input)
  const pictures = await takePictures(input.images, ctx)
  const { cost, outputs_per_call: perCall = 1 } = input.config
  const url = `${baseUrl}${modelPath(modelOf(input))}:predictLongRunning`
  const bodies = portions(input.numOutputs, perCall).map(count => videoBody(input, pictures, count))

  const sizeBytes = pictures.reduce((sum, { data }) => sum + data.length, 0)
  const timeoutMs = START_TIMEOUT_MS + transferMs(sizeBytes)
  const { made: names } = await several(bodies, async json => {
    const answer = await ask(ctx, { url, method: 'POST', json, timeoutMs })
    if (answer.status !== 200) throw geminiStartError(answer)
    return nameOf(answer.json)
  })
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
      return readStanding(await askAbout(ctx, { url: `${baseUrl}/${name}` }))
    }),
  )
  const ended = standings.filter(standing => standing !== 'running')
  if (ended.length < standings.length) return pending(operation, ctx)
  return await gather(baseUrl, operation, kept(ended).made, ctx)
}

/** A video that is gone costs itself and not the others; one that only broke off is waited for. */
async function gather(
  baseUrl: string,
  operation: VideoOperation,
  made: string[][],
  ctx: ProviderContext,
): Promise<Done> {
  const { origin } = new URL(baseUrl)
  const videos = await several(made.flat(), uri => downloadVideo(uri, origin, ctx), {
    isRepeatable: true,
  })
  return {
    state: 'done',
    outputs: videos.made.map(bytes => ({ type: 'file', bytes, contentType: null })),
    usage: usageOf(operation, made.length, videos.made.length),
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
