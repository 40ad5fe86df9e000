import type { Command } from './command'
import { readOptions } from './options'

export const openapiCommand: Command = {
  name: 'openapi',
  usage: 'hub openapi > openapi.json',
  summary: 'Print the OpenAPI document',
  async run(context) {
    readOptions(context.args, { json: { type: 'boolean' } }, 0)
    context.out(JSON.stringify(context.openapi(), null, 2))
    return 0
  },
}
