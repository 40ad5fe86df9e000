import { isoSeconds } from '@/base/clock'
import { formatId } from '@/base/ids'
import { findApp, realmsOf } from '@/domain/apps'
import { type Difference, explain, ownerName, refundGraceDays, verify } from '@/domain/ledger'
import { findByExternalId, setRefundGrace } from '@/domain/users'
import type { Hub } from '@/hub'
import { type Command, type Context, SHELL, UsageError } from './command'
import { modeOf, readOptions, required, wholeNumber } from './options'

export const ledgerCommand: Command = {
  name: 'ledger',
  usage: `hub ledger verify [--json]
hub ledger explain --app S --user U [--mode live|test] [--json]
hub ledger grace [--days N] [--json]`,
  summary: 'Re-add the whole ledger, tell the story of a user’s tokens, set the grace of refunds',
  async run(context) {
    const [verb, ...args] = context.args
    if (verb === 'verify') return await verifyAll({ ...context, args })
    if (verb === 'explain') return await explainUser({ ...context, args })
    if (verb === 'grace') return await grace({ ...context, args })
    throw new UsageError('say `verify`, `explain` or `grace`')
  },
}

async function verifyAll(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
  const hub = await context.openHub()
  try {
    const differences = verify(hub.deps.db)
    if (values.json) {
      const named = differences.map(one => ({ ...one, user: nameOf(hub, one) }))
      context.out(JSON.stringify({ ok: differences.length === 0, differences: named }))
    } else if (differences.length === 0) context.out('The ledger adds up.')
    else
      for (const one of differences) {
        const { what, expected, found } = one
        context.out(`${nameOf(hub, one)}: ${what}: expected ${expected}, found ${found}`)
      }
    return differences.length === 0 ? 0 : 1
  } finally {
    await hub.close()
  }
}

function nameOf(hub: Hub, { userId }: Difference): string {
  return ownerName(hub.deps.db, userId) ?? `user ${userId}, who is not there`
}

async function explainUser(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      app: { type: 'string' },
      user: { type: 'string' },
      mode: { type: 'string' },
      json: { type: 'boolean' },
    },
    0,
  )
  const slug = required(values.app, 'app')
  const externalId = required(values.user, 'user')
  const mode = modeOf(values.mode)
  const hub = await context.openHub()
  try {
    const app = findApp(hub.deps.db, slug)
    if (!app) throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
    const realm = realmsOf(hub.deps.db, app.id)[mode]
    const user = findByExternalId(hub.deps.db, realm.id, externalId)
    if (!user) throw new Error(`${slug} has no ${mode} user ${externalId}`)
    const lines = explain(hub.deps.db, realm.id, user.id).map(line => ({
      at: isoSeconds(line.at),
      transaction_id: line.entryId === null ? null : formatId('entry', line.entryId),
      type: line.type,
      amount: line.amount,
      balance_after: line.balanceAfter,
      text: line.text,
    }))
    if (values.json) context.out(JSON.stringify(lines))
    else for (const line of lines) context.out(sentence(line))
    return 0
  } finally {
    await hub.close()
  }
}

const AMOUNT_WIDTH = 8

function sentence(line: {
  at: string
  transaction_id: string | null
  amount: number
  balance_after: number
  text: string
}): string {
  const moved =
    line.transaction_id === null
      ? ''.padStart(AMOUNT_WIDTH)
      : `${line.amount > 0 ? '+' : ''}${line.amount}`.padStart(AMOUNT_WIDTH)
  return `${line.at} ${moved} = ${String(line.balance_after).padEnd(AMOUNT_WIDTH)} ${line.text}`
}

/** How long tokens that come back after their expiry can still be spent. */
async function grace(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    { days: { type: 'string' }, json: { type: 'boolean' } },
    0,
  )
  const days = wholeNumber(values.days, 'days')
  const hub = await context.openHub()
  try {
    if (days !== undefined) await setRefundGrace(hub.deps, SHELL, days)
    const now = refundGraceDays(hub.deps.db)
    context.out(
      values.json
        ? JSON.stringify({ refund_grace_days: now })
        : `Tokens that come back after they have expired can be spent for ${now} days.`,
    )
    return 0
  } finally {
    await hub.close()
  }
}
