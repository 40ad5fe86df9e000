import { connect } from 'node:net'
import { seededRandom } from '@test/queue/seeded-random'
import { jsonOf, type RunningHub, runHub, startHub } from '@test/support/process'
import { type Api, apiOf, makeApp, sandboxed } from './api'
import { countIn } from './final-state'

/** One hub, one app, and a user `buyer` who starts with `tokens`. Nothing that is ordered ends by itself. */
export type Market = AsyncDisposable & {
  hub: RunningHub
  api: Api
  key: string
  /** Everything that the files say against what was counted from outside. */
  problems(expected: { holds: number; granted: number }): Promise<string[]>
}

export const BUYER = 'buyer'
const SLUG = 'market'
const NEVER_ENDS = sandboxed({ mode: 'async', latency_ms: 600_000 })

export async function openMarket(tokens: number): Promise<Market> {
  const hub = await startHub()
  const { folder } = hub
  const { test_api_key: key } = await makeApp(folder, { slug: SLUG, grant: tokens })
  const api = apiOf(hub.url, key, BUYER)
  return {
    hub,
    api,
    key,
    async problems({ holds, granted }) {
      const { body } = await api.user(BUYER)
      const balance = tokens + granted - holds
      const facts: [string, number, number][] = [
        ['balance', body.token_balance, balance],
        ['reserved', body.tokens_reserved, holds],
        ['jobs', countIn(folder, 'SELECT count(*) FROM jobs'), holds],
        ['open holds', countIn(folder, `SELECT count(*) FROM holds WHERE state = 'open'`), holds],
        [
          'sum of entries',
          countIn(folder, 'SELECT coalesce(sum(amount), 0) FROM token_entries'),
          balance,
        ],
        ['balance in the file', countIn(folder, 'SELECT balance FROM users'), balance],
      ]
      const ledger = await jsonOf<{ ok: boolean }>(['ledger', 'verify'], { folder })
      return [
        ...facts
          .filter(([, is, must]) => is !== must)
          .map(([what, is, must]) => `${what}: ${is}, not ${must}`),
        ...(ledger.ok ? [] : ['the ledger does not add up']),
      ]
    },
    [Symbol.asyncDispose]: () => hub[Symbol.asyncDispose](),
  }
}

export type Bought = { accepted: number; refused: number; others: string[] }

/** `calls` orders at once, each with a key of its own. A refusal must say that nothing is left. */
export async function buyAtOnce(api: Api, calls: number): Promise<Bought> {
  const answers = await Promise.all(
    Array.from({ length: calls }, () => api.generate({ input: NEVER_ENDS })),
  )
  const bought: Bought = { accepted: 0, refused: 0, others: [] }
  for (const { status, body } of answers) {
    const { balance, required } = body as { balance?: number; required?: number }
    if (status === 202) bought.accepted++
    else if (status === 402 && balance === 0 && required === 1) bought.refused++
    else bought.others.push(`${status} ${JSON.stringify(body)}`)
  }
  return bought
}

/** One order, sent `calls` times at once with one key. */
export async function orderOnce(api: Api, calls: number, key: string) {
  const answers = await Promise.all(
    Array.from({ length: calls }, () => api.generate({ input: NEVER_ENDS, idempotency_key: key })),
  )
  const replays = answers.filter(({ headers }) => headers.get('idempotent-replayed') === 'true')
  return {
    statuses: [...new Set(answers.map(({ status }) => status))],
    ids: [...new Set(answers.map(({ body }) => body.job_id))],
    firsts: answers.length - replays.length,
  }
}

export type ShellWork = { granted: number; commands: number; problems: string[] }

/** Other processes grant tokens and make and revoke keys, one after the other, until `isEnough` says so. */
export async function shellAtWork(
  { hub }: Market,
  isEnough: (commands: number) => boolean,
): Promise<ShellWork> {
  const { folder } = hub
  const work: ShellWork = { granted: 0, commands: 0, problems: [] }
  const run = async (args: string[]): Promise<string> => {
    const ran = await runHub([...args, '--json'], { folder })
    work.commands++
    if (ran.code !== 0)
      work.problems.push(`${args.join(' ')} ended with ${ran.code}: ${ran.stderr}`)
    return ran.stdout
  }
  while (!isEnough(work.commands)) {
    const grant = ['tokens', 'grant', '--app', SLUG, '--user', BUYER, '--mode', 'test']
    await run([...grant, '--amount', `${GRANT}`])
    work.granted += GRANT
    const made = JSON.parse(await run(['keys', 'create', '--app', SLUG, '--mode', 'test'])) as {
      id: string
    }
    await run(['keys', 'revoke', made.id])
  }
  return work
}

const GRANT = 3

/** Hangs up in the middle of his call, so that it never arrives. */
const HALF_WAY = -1
/** Some before the whole call has arrived, some while it is worked on, some long after it was answered. */
const DROPS_MS = [HALF_WAY, 0, 1, 2, 5, 20, 100]

/**
 * Calls whose callers hang up: the socket is dropped after some of DROPS_MS, whatever has come back by then,
 * and the same call is made again. Answers how many of the keys had been taken by the first call.
 */
export async function orderAndHangUp(
  { hub, api, key }: Market,
  orders: number,
  seed: number,
): Promise<{ taken: number; others: string[] }> {
  const random = seededRandom(seed)
  const port = Number(new URL(hub.url).port)
  const keys = Array.from({ length: orders }, (_, index) => `dropped-${seed}-${index}`)
  await Promise.all(
    keys.map(idempotencyKey => {
      const body = JSON.stringify({
        model: 'flux-schnell',
        input: NEVER_ENDS,
        idempotency_key: idempotencyKey,
      })
      const head = [
        'POST /api/v1/generate HTTP/1.1',
        `host: 127.0.0.1:${port}`,
        `x-api-key: ${key}`,
        `x-user-id: ${BUYER}`,
        'content-type: application/json',
        `content-length: ${Buffer.byteLength(body)}`,
      ]
      return writeAndDrop(port, `${head.join('\r\n')}\r\n\r\n${body}`, random.pick(DROPS_MS))
    }),
  )
  const answers = await Promise.all(
    keys.map(idempotencyKey =>
      api.generate({ input: NEVER_ENDS, idempotency_key: idempotencyKey }),
    ),
  )
  const replayed = answers.filter(answer => answer.headers.get('idempotent-replayed') === 'true')
  const others = answers.filter(answer => answer.status !== 202)
  return { taken: replayed.length, others: others.map(answer => `${answer.status}`) }
}

function writeAndDrop(port: number, text: string, afterMs: number): Promise<void> {
  const sent = afterMs === HALF_WAY ? text.slice(0, text.length / 2) : text
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.write(sent, () => setTimeout(() => socket.destroy(), Math.max(afterMs, 0)))
    })
    socket.on('error', () => {})
    socket.on('close', () => resolve())
  })
}
