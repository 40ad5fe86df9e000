import { networkInterfaces } from 'node:os'
import type { Serving } from '@/serve'
import type { Command, Context } from './command'
import { readOptions } from './options'

export const serveCommand: Command = {
  name: 'serve',
  usage: 'hub [serve]',
  summary: 'Run the server (the default)',
  async run(context) {
    readOptions(context.args, {}, 0)
    const serving = await context.startServer()
    context.say(banner(context, serving))
    await context.untilStopped()
    context.say('Stopping: what runs may finish.')
    await serving.stop()
    return 0
  },
}

/** What a person wants to know after starting it: where it is, and what a phone still misses. */
export function banner({ config, version }: Context, serving: Serving): string {
  const { url, hub } = serving
  const lines = [
    '',
    `AI Backend Hub ${version}`,
    `  API     ${url}/api/v1`,
    `  Docs    ${url}/docs`,
    `  Health  ${url}/api/health`,
    `  Data    ${config.dataDir}`,
    ...networkAddresses(config.host, url).map(address => `  Network ${address}`),
    '',
    ...(hub.isNewKey ? keyNotice(config.dataDir) : []),
    ...phoneNotice(config.publicUrl, config.host),
    ...config.notYetUsed.map(name => `Note: ${name} is set, but this version does not use it yet.`),
  ]
  return lines.join('\n')
}

/** Said once, by whatever command made the key. */
export function keyNotice(dataDir: string): string[] {
  return [
    `A secret key was made: ${dataDir}/secret.key`,
    'Keep this: back it up apart from the database. Without it webhook secrets and links cannot be read.',
    '',
  ]
}

function phoneNotice(publicUrl: string | null, host: string): string[] {
  if (publicUrl?.startsWith('https://')) return [`Phones reach it at ${publicUrl}`]
  const missing = [
    publicUrl ? 'PUBLIC_URL is plain http' : 'PUBLIC_URL is not set',
    ...(host === '127.0.0.1' ? ['it listens on this machine only (HOST=0.0.0.0 opens it)'] : []),
  ]
  return [
    'The iOS simulator on this Mac can use the address above. A real phone refuses plain http:',
    `  ${missing.join('; ')}.`,
    '  https in three ways (a domain, a tunnel, the local network): README, "From a phone".',
  ]
}

function networkAddresses(host: string, url: string): string[] {
  if (host !== '0.0.0.0' && host !== '::') return []
  const port = new URL(url).port
  return Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(address => address.family === 'IPv4' && !address.internal)
    .map(address => `http://${address.address}:${port}`)
}
