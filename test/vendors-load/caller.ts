import { type LoadHub, USERS } from './hub'

/** How often whoever waits for a job asks for it. */
const LOOK_AGAIN_MS = 5

const FINAL = ['succeeded', 'failed', 'cancelled']

/** Submits one job, for one user after the other; its id. Throws for any answer but 202. */
export async function submit(
  hub: LoadHub,
  model: string,
  prompt: string,
  webhookUrl?: string,
): Promise<string> {
  const response = await fetch(`${hub.url}/api/v1/generate`, {
    method: 'POST',
    headers: {
      'x-api-key': hub.apiKey,
      'x-user-id': nextUser(),
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      model,
      input: { prompt },
      ...(webhookUrl === undefined ? {} : { webhook_url: webhookUrl }),
    }),
  })
  const text = await response.text()
  if (response.status !== 202) throw new Error(`generate answered ${response.status}: ${text}`)
  return (JSON.parse(text) as { job_id: string }).job_id
}

/** Asks until the job has ended; how. */
export async function endOf(hub: LoadHub, id: string): Promise<string> {
  for (;;) {
    const response = await fetch(`${hub.url}/api/v1/jobs/${id}`, {
      headers: { 'x-api-key': hub.apiKey },
    })
    const { status } = (await response.json()) as { status: string }
    if (response.status !== 200) throw new Error(`the job answered ${response.status}`)
    if (FINAL.includes(status)) return status
    await Bun.sleep(LOOK_AGAIN_MS)
  }
}

let turn = 0

function nextUser(): string {
  return USERS[turn++ % USERS.length] ?? 'somebody'
}

/**
 * Does `work` so many times a second until `isOver`, at even distances whatever each takes. The first error
 * ends it; resolves when all that was begun has ended.
 */
export async function paced(
  perSecond: number,
  isOver: () => boolean,
  work: (index: number) => Promise<unknown>,
): Promise<void> {
  const begun: Promise<unknown>[] = []
  const startedAt = performance.now()
  let failure: unknown = null
  for (let index = 0; !isOver() && failure === null; index++) {
    const dueAt = startedAt + (index * 1_000) / perSecond
    await Bun.sleep(Math.max(dueAt - performance.now(), 0))
    begun.push(
      work(index).catch(error => {
        failure = error
      }),
    )
  }
  await Promise.all(begun)
  if (failure !== null) throw failure
}

/** The value below which this share of them lies; NaN of none. */
export function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b)
  return sorted[Math.ceil(sorted.length * share) - 1] ?? Number.NaN
}
