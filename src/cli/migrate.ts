import type { Command } from './command'
import { readOptions } from './options'

export const migrateCommand: Command = {
  name: 'migrate',
  usage: 'hub migrate [--json]',
  summary: 'Bring the database to this version (the server does it at its start too)',
  async run(context) {
    const { values } = readOptions(context.args, { json: { type: 'boolean' } }, 0)
    const hub = await context.openHub({ exclusive: 'migrate' })
    try {
      const { applied, copy } = hub.migration
      if (values.json) context.out(JSON.stringify({ applied, copy }))
      else if (applied.length === 0) context.out('The database is up to date.')
      else {
        context.out(`Applied ${applied.join(', ')}.`)
        if (copy) context.out(`A copy from before is ${copy}.`)
      }
      return 0
    } finally {
      await hub.close()
    }
  },
}
