import { verify } from '@/domain/ledger'
import { type Command, UsageError } from './command'
import { readOptions } from './options'

export const ledgerCommand: Command = {
  name: 'ledger',
  usage: 'hub ledger verify [--json]',
  summary: 'Re-add the whole ledger and name what differs',
  async run(context) {
    const [verb, ...rest] = context.args
    if (verb !== 'verify') throw new UsageError('say `verify`')
    const { values } = readOptions(rest, { json: { type: 'boolean' } }, 0)
    const hub = await context.openHub()
    try {
      const differences = verify(hub.deps.db)
      if (values.json) context.out(JSON.stringify({ ok: differences.length === 0, differences }))
      else if (differences.length === 0) context.out('The ledger adds up.')
      else
        for (const { userId, what, expected, found } of differences) {
          context.out(`user ${userId}: ${what}: expected ${expected}, found ${found}`)
        }
      return differences.length === 0 ? 0 : 1
    } finally {
      await hub.close()
    }
  },
}
