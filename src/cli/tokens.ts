import { AppError, type InputProblem } from '@/base/errors'
import { formatId, parseId } from '@/base/ids'
import type { Realm } from '@/deps'
import { findApp, realmsOf } from '@/domain/apps'
import { ORIGINS, type Origin } from '@/domain/ledger'
import { adjustTokens, grantTokens, isExternalId, reverseGrant } from '@/domain/users'
import type { Hub } from '@/hub'
import { type Command, type Context, SHELL, UsageError } from './command'
import { modeOf, readOptions, required, wholeNumber } from './options'

const MAX_TOKENS = 1_000_000_000

export const tokensCommand: Command = {
  name: 'tokens',
  usage: `hub tokens grant --app S --user U --amount N [--reason R] [--origin ${ORIGINS.join('|')}]
                 [--expires 2026-12-31T00:00:00Z] [--mode live|test] [--json]
hub tokens reverse --app S --user U --transaction T [--reason R] [--mode live|test] [--json]
hub tokens adjust --app S --user U --amount=[-]N [--reason R] [--mode live|test] [--json]`,
  summary: 'Give tokens to a user, take a grant back, correct a balance',
  async run(context) {
    const [verb, ...args] = context.args
    if (verb === 'grant') return await grant({ ...context, args })
    if (verb === 'reverse') return await reverse({ ...context, args })
    if (verb === 'adjust') return await adjust({ ...context, args })
    throw new UsageError('say `grant`, `reverse` or `adjust`')
  },
}

const WHOSE = {
  app: { type: 'string' },
  user: { type: 'string' },
  reason: { type: 'string' },
  mode: { type: 'string' },
  json: { type: 'boolean' },
} as const

async function grant(context: Context): Promise<number> {
  const { values } = readOptions(
    context.args,
    {
      ...WHOSE,
      amount: { type: 'string' },
      origin: { type: 'string' },
      expires: { type: 'string' },
    },
    0,
  )
  const whose = whoseOf(values)
  const amount = amountOf(required(values.amount, 'amount'))
  const origin = originOf(values.origin)
  const expiresAt = timeOf(values.expires)
  return await inRealm(context, whose, async (hub, realm) => {
    const answer = await grantTokens(hub.deps, { ...SHELL, realm }, realm, {
      externalId: whose.externalId,
      amount,
      reason: values.reason ?? 'granted in the shell',
      type: 'GRANT',
      origin,
      expiresAt,
      idempotency: null,
    })
    return {
      shown: {
        external_id: whose.externalId,
        mode: whose.mode,
        previous_balance: answer.previousBalance,
        amount_added: answer.amountAdded,
        debt_paid: answer.debtPaid,
        new_balance: answer.newBalance,
        transaction_id: formatId('entry', answer.entryId),
      },
      said: `${whose.externalId} (${whose.mode}) had ${answer.previousBalance} tokens and has ${answer.newBalance} now.${paid(answer.debtPaid)}`,
    }
  })
}

async function reverse(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { ...WHOSE, transaction: { type: 'string' } }, 0)
  const whose = whoseOf(values)
  const entryId = parseId('entry', required(values.transaction, 'transaction'))
  if (entryId === null) throw new UsageError('--transaction takes the txn_... of the grant')
  return await inRealm(context, whose, async (hub, realm) => {
    const { externalId, mode } = whose
    const answer = await reverseGrant(hub.deps, { ...SHELL, realm }, realm, {
      externalId,
      entryId,
      reason: values.reason ?? 'reversed in the shell',
      idempotency: null,
    })
    return {
      shown: {
        external_id: externalId,
        mode,
        transaction_id: answer.entryId === null ? null : formatId('entry', answer.entryId),
        tokens_taken: answer.taken,
        tokens_owed: answer.owed,
        new_balance: answer.newBalance,
      },
      said: `${externalId} (${mode}) lost ${answer.taken} tokens, owes ${answer.owed} for what was spent, and has ${answer.newBalance} now.`,
    }
  })
}

async function adjust(context: Context): Promise<number> {
  const { values } = readOptions(context.args, { ...WHOSE, amount: { type: 'string' } }, 0)
  const whose = whoseOf(values)
  const text = required(values.amount, 'amount')
  const amount = text.startsWith('-') ? -amountOf(text.slice(1)) : amountOf(text)
  return await inRealm(context, whose, async (hub, realm) => {
    const { externalId, mode } = whose
    const answer = await adjustTokens(hub.deps, { ...SHELL, realm }, realm, {
      externalId,
      amount,
      reason: values.reason ?? 'adjusted in the shell',
      idempotency: null,
    })
    return {
      shown: {
        external_id: externalId,
        mode,
        previous_balance: answer.previousBalance,
        amount,
        debt_paid: answer.debtPaid,
        new_balance: answer.newBalance,
        transaction_id: formatId('entry', answer.entryId),
      },
      said: `${externalId} (${mode}) had ${answer.previousBalance} tokens and has ${answer.newBalance} now.${paid(answer.debtPaid)}`,
    }
  })
}

type Whose = { slug: string; externalId: string; mode: Realm['mode']; isJson: boolean }

function whoseOf(values: { app?: string; user?: string; mode?: string; json?: boolean }): Whose {
  const slug = required(values.app, 'app')
  const externalId = required(values.user, 'user')
  if (!isExternalId(externalId)) throw new UsageError('--user is not a user id')
  return { slug, externalId, mode: modeOf(values.mode), isJson: values.json === true }
}

/** Does it in the app's realm, and prints what came of it. */
async function inRealm(
  context: Context,
  { slug, mode, isJson }: Whose,
  act: (hub: Hub, realm: Realm) => Promise<{ shown: Record<string, unknown>; said: string }>,
): Promise<number> {
  const hub = await context.openHub()
  try {
    const app = findApp(hub.deps.db, slug)
    if (!app) throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
    const { shown, said } = await act(hub, realmsOf(hub.deps.db, app.id)[mode]).catch(inWords)
    context.out(isJson ? JSON.stringify(shown) : said)
    return 0
  } finally {
    await hub.close()
  }
}

/** What the API says in fields, for somebody who reads one line. */
function inWords(error: unknown): never {
  if (!(error instanceof AppError)) throw error
  const problems = error.detail.details as InputProblem[] | undefined
  if (problems) throw new Error(problems.map(one => `${one.path}: ${one.message}`).join('; '))
  if (error.code === 'insufficient_tokens') {
    const { balance, required } = error.detail
    throw new Error(`the user has ${balance} tokens, and ${required} would be taken`)
  }
  if (error.code === 'conflict') throw new Error('it was reversed before')
  if (error.code === 'not_found') throw new Error('there is no such user, or no such transaction')
  throw error
}

function amountOf(text: string): number {
  const amount = wholeNumber(text, 'amount') ?? 0
  if (amount < 1 || amount > MAX_TOKENS) throw new UsageError(`--amount takes 1 to ${MAX_TOKENS}`)
  return amount
}

function originOf(text: string | undefined): Origin | undefined {
  const origin = ORIGINS.find(one => one === text)
  if (text !== undefined && !origin) throw new UsageError(`--origin takes ${ORIGINS.join(', ')}`)
  return origin
}

function timeOf(text: string | undefined): number | null {
  if (text === undefined) return null
  const at = /^\d{4}-\d\d-\d\d/.test(text) ? Date.parse(text) : Number.NaN
  if (Number.isNaN(at)) throw new UsageError('--expires takes a time like 2026-12-31T00:00:00Z')
  return at
}

function paid(debt: number): string {
  return debt > 0 ? ` ${debt} of it went to what was owed.` : ''
}
