import { Superseded } from '@/base/errors'
import type { FileId } from '@/base/ids'
import { write } from '@/db/write'
import type { Deps } from '@/deps'
import { discardBlobs, take, Unreachable, Unusable } from '@/domain/files'
import { activeJob, end, isActive } from '@/domain/jobs'
import type { Done, Output, ProviderUsage } from '@/providers/spec'
import { finish } from '@/queue/finish'
import type { Claim, Outcome } from '@/queue/task'
import { type Measured, markProduced, Produced } from './attempts'
import { conclude, costByRates, spentOn } from './conclude'
import { providerOf } from './context'
import { discardLeftovers } from './leftovers'
import type { Plan } from './prepare'
import { fail } from './refused'
import { LostInHand, takeInHand } from './take-in-hand'

/** How often our own part of a job may break before the job is given up. */
export const MAX_FAILURES = 6

/**
 * What the provider made becomes ours. Bytes in hand are stored first; addresses are written down before
 * the first is fetched, so that a crash while copying never generates again.
 */
export async function keepOutputs(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  done: Done,
  signal: AbortSignal,
): Promise<Outcome> {
  const outputs = done.outputs.slice(0, plan.job.numOutputs)
  const produced = (
    await allEnded(outputs.map((output, index) => inHand(deps, plan, output, index, signal)))
  ).filter(output => output !== null)
  const isAllHere = produced.every(output => output.type !== 'address')
  const { usage } = done
  const measured = {
    usage,
    // By the rates of the route, where neither the vendor nor its adapter told what it took.
    costMicroUsd:
      usage?.costMicroUsd ?? costByRates(deps.db, plan.attempt, plan.job, outputs.length),
  }

  if (isAllHere) return await settle(deps, claim, plan, produced, measured)
  if (!providerOf(deps, plan.attempt).startIsRepeatable) {
    await orLeave(deps, plan, () =>
      write(deps.db, tx => {
        // Whoever erased a person meanwhile must not find them here again.
        activeJob(tx, plan.job.id)
        markProduced(tx, plan.attempt, produced, measured)
      }),
    )
  }
  return await copyAll(deps, claim, plan, produced, signal, measured)
}

/** Goes on where an earlier run stopped: the same addresses, the same file ids. */
export async function copyOutputs(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  signal: AbortSignal,
): Promise<Outcome> {
  const produced = Produced.parse(JSON.parse(plan.attempt.outputs ?? '[]'))
  const { costMicroUsd, usage } = plan.attempt
  return await copyAll(deps, claim, plan, produced, signal, {
    costMicroUsd,
    // Written by an earlier run of this, from the adapter's own value.
    usage: usage === null ? undefined : (JSON.parse(usage) as ProviderUsage),
  })
}

async function inHand(
  deps: Deps,
  plan: Plan,
  output: Output,
  index: number,
  signal: AbortSignal,
): Promise<Produced[number] | null> {
  if (output.type === 'text') return { type: 'text', text: output.text }
  if (output.type === 'json') return { type: 'text', text: JSON.stringify(output.value) }
  const fileId = (plan.attempt.firstFileId + index) as FileId
  if ('url' in output) {
    return { type: 'address', fileId, url: output.url, contentType: output.contentType }
  }
  // Whoever can be asked again is: only what a start brought is gone with this process.
  const store = plan.act === 'start' ? takeInHand : take
  return await usable(deps, plan, async () => ({
    type: 'stored' as const,
    ...(await store(deps, output, fileId, signal)),
  }))
}

async function copyAll(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  produced: Produced,
  signal: AbortSignal,
  measured: Measured,
): Promise<Outcome> {
  const isLastTry = claim.task.failures + 1 >= MAX_FAILURES
  const copied = await allEnded(
    produced.map(async output => {
      if (output.type !== 'address') return output
      const { fileId, url, contentType } = output
      const copy = async () => ({
        type: 'stored' as const,
        ...(await take(deps, { type: 'file', url, contentType }, fileId, signal)),
      })
      return await usable(deps, plan, copy, isLastTry)
    }),
  )
  return await settle(
    deps,
    claim,
    plan,
    copied.filter(output => output !== null),
    measured,
  )
}

/** Like Promise.all, but when one fails the others have ended too: none of them writes behind our back. */
async function allEnded<T>(works: Promise<T>[]): Promise<T[]> {
  await Promise.allSettled(works)
  return await Promise.all(works)
}

/** One broken or vanished picture of four costs the user that one, not the other three. */
async function usable<T>(
  deps: Deps,
  plan: Plan,
  act: () => Promise<T>,
  isLastTry = false,
): Promise<T | null> {
  try {
    return await act()
  } catch (error) {
    const isLost =
      error instanceof Unusable ||
      error instanceof LostInHand ||
      (isLastTry && error instanceof Unreachable)
    if (!isLost) throw error
    deps.log.warn('an output could not be used', { attempt: plan.attempt.id, error })
    return null
  }
}

async function settle(
  deps: Deps,
  claim: Claim,
  plan: Plan,
  produced: Produced,
  { costMicroUsd, usage }: Measured,
): Promise<Outcome> {
  const { attempt, job } = plan
  const outputs = produced.flatMap(output => (output.type === 'address' ? [] : [output]))
  await orLeave(deps, plan, () =>
    write(deps.db, tx => {
      if (outputs.length === 0) {
        const message = 'nothing usable was made'
        const outcome = { kind: 'failed', reason: message } as const
        conclude(tx, attempt, { state: 'failed', message, costMicroUsd }, outcome)
        return fail(tx, claim, plan, 'output_unusable')
      }
      conclude(
        tx,
        attempt,
        { state: 'succeeded', costMicroUsd },
        {
          kind: 'succeeded',
          latencyMs: tx.now - attempt.startedAt,
          costMicroUsd: costMicroUsd === null ? null : costMicroUsd / outputs.length,
        },
      )
      end(tx, job.id, { status: 'succeeded', outputs, costMicroUsd: spentOn(tx, job), usage })
      if (outputs.length < job.numOutputs) discardLeftovers(tx, plan)
      finish(tx, claim)
    }),
  )
  return { outcome: 'handled' }
}

/**
 * Who comes too late takes the blobs along. But only those of a job that is over: while it goes on
 * another claim works on it and is writing the same ones.
 */
async function orLeave(deps: Deps, plan: Plan, act: () => Promise<void>): Promise<void> {
  const { job, attempt } = plan
  try {
    await act()
  } catch (error) {
    if (error instanceof Superseded && !isActive(deps.db, job.id)) {
      await discardBlobs(deps, attempt.firstFileId, job.numOutputs)
    }
    throw error
  }
}
