import { formatId } from '@/base/ids'
import { findApp, realmsOf } from '@/domain/apps'
import { grantTokens, isExternalId } from '@/domain/users'
import { type Command, SHELL, UsageError } from './command'
import { modeOf, readOptions, required, wholeNumber } from './options'

const MAX_GRANT = 1_000_000_000

export const tokensCommand: Command = {
  name: 'tokens',
  usage: 'hub tokens grant --app S --user U --amount N [--reason R] [--mode live|test] [--json]',
  summary: 'Give tokens to a user',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb !== 'grant') throw new UsageError('say `grant`')
    const { values } = readOptions(
      rest,
      {
        app: { type: 'string' },
        user: { type: 'string' },
        amount: { type: 'string' },
        reason: { type: 'string' },
        mode: { type: 'string' },
        json: { type: 'boolean' },
      },
      0,
    )
    const slug = required(values.app, 'app')
    const externalId = required(values.user, 'user')
    const amount = wholeNumber(required(values.amount, 'amount'), 'amount') ?? 0
    if (!isExternalId(externalId)) throw new UsageError('--user is not a user id')
    if (amount < 1 || amount > MAX_GRANT) throw new UsageError(`--amount takes 1 to ${MAX_GRANT}`)
    const mode = modeOf(values.mode)

    const hub = await context.openHub()
    try {
      const app = findApp(hub.deps.db, slug)
      if (!app) throw new Error(`there is no app ${slug}; \`hub apps list\` shows what there is`)
      const realm = realmsOf(hub.deps.db, app.id)[mode]
      const answer = await grantTokens(hub.deps, { ...SHELL, realm }, realm, {
        externalId,
        amount,
        reason: values.reason ?? 'granted in the shell',
        type: 'GRANT',
        idempotency: null,
      })
      const shown = {
        external_id: externalId,
        mode,
        previous_balance: answer.previousBalance,
        amount_added: answer.amountAdded,
        new_balance: answer.newBalance,
        transaction_id: formatId('entry', answer.entryId),
      }
      context.out(
        values.json
          ? JSON.stringify(shown)
          : `${externalId} (${mode}) had ${shown.previous_balance} tokens and has ${shown.new_balance} now.`,
      )
      return 0
    } finally {
      await hub.close()
    }
  },
}
