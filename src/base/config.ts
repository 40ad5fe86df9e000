import ipaddr from 'ipaddr.js'
import { z } from 'zod'
import { parseAllowedDestinations } from './address'
import { checkDestination } from './destination'
import { microUsdOf } from './usd'

/**
 * The environment: what one process needs to start. Everything is optional, and this file is its only
 * reader. What an operator may change while we run lives in the settings table, never in both.
 */
export type Config = {
  port: number
  host: string
  /** Without a trailing slash; null: links take the Host of the call. */
  publicUrl: string | null
  trustedProxies: string[]
  dataDir: string
  secretKey: Uint8Array | null
  previousSecretKeys: Uint8Array[]
  logLevel: 'debug' | 'info' | 'warn' | 'error'
  /** Calls a minute from one address without a valid key. */
  addressRateLimit: number
  allowPrivateDestinations: string[]
  /** What live jobs of all apps may cost in a calendar month, micro-USD, UTC; null: no budget. */
  monthlyBudgetMicroUsd: number | null
  /** Who runs the hub hears of budgets there; null: nobody is told, and the log has it. */
  operatorWebhook: { url: string; secret: string } | null
  /** Keys of vendors by the name of their variable; only those that are set. */
  providerKeys: { readonly [variable: string]: string }
  /** Variables that a later version reads and this one does not, as found: said at the start. */
  notYetUsed: string[]
}

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

const list = z
  .string()
  .default('')
  .transform(text =>
    text
      .split(',')
      .map(part => part.trim())
      .filter(part => part !== ''),
  )

const isBareOrigin = (url: URL) => url.pathname === '/' && url.search === '' && url.hash === ''

const isAddressOrNetwork = (text: string) =>
  text.includes('/') ? ipaddr.isValidCIDR(text) : ipaddr.isValid(text)

const areDestinations = (entries: string[]) => {
  try {
    parseAllowedDestinations(entries)
    return true
  } catch {
    return false
  }
}

const rootKey = (text: string) => {
  const bytes = Buffer.from(text, /^[0-9a-f]{64}$/i.test(text) ? 'hex' : 'base64')
  return bytes.length === 32 ? new Uint8Array(bytes) : null
}

const LEAST_SECRET_BYTES = 24

/** As `sign` of the webhooks takes it. What is not base64 would be read as a shorter secret, in silence. */
const isSigningSecret = (text: string) => {
  const encoded = text.replace(/^whsec_/, '')
  const bytes = Buffer.from(encoded, 'base64')
  const isBase64 = bytes.toString('base64').replace(/=+$/, '') === encoded.replace(/=+$/, '')
  return isBase64 && bytes.length >= LEAST_SECRET_BYTES
}

/** What each variable takes, in words: the sentence of the error and of `.env.example`. */
export const VARIABLES = {
  PORT: 'a port number from 0 to 65535 (0: any free one)',
  HOST: 'an address to listen on, such as 127.0.0.1 or 0.0.0.0',
  PUBLIC_URL: 'an http or https address without path, such as https://ai.example.com',
  TRUSTED_PROXIES: 'addresses or CIDR ranges, separated by commas',
  DATA_DIR: 'a folder',
  SECRET_KEY: '32 bytes as base64 or 64 hexadecimal characters (openssl rand -base64 32)',
  SECRET_KEY_PREVIOUS: 'earlier keys of the same form, separated by commas',
  LOG_LEVEL: 'debug, info, warn or error',
  API_RATE_LIMIT_PER_MINUTE: 'a whole number of at least 1',
  ALLOW_PRIVATE_DESTINATIONS: 'host names, host:port or CIDR ranges, separated by commas',
  MONTHLY_BUDGET_USD: 'an amount of US dollars, such as 250 or 99.50',
  OPERATOR_WEBHOOK_URL:
    'a public https address, or a host of ALLOW_PRIVATE_DESTINATIONS; it needs WEBHOOK_SECRET',
  WEBHOOK_SECRET: 'at least 24 bytes as base64, with or without whsec_ (openssl rand -base64 32)',
} as const

/** It travels in a header: a line break or a letter beyond ASCII can only be a mistake of copying. */
export const ProviderKey = z.string().regex(/^[\x21-\x7e]{1,1000}$/)

const Environment = z.object({
  PORT: z.coerce.number().int().min(0).max(65535).default(3000),
  HOST: z.string().min(1).default('127.0.0.1'),
  PUBLIC_URL: z
    .url({ protocol: /^https?$/ })
    .refine(text => URL.canParse(text) && isBareOrigin(new URL(text)))
    .transform(text => (URL.canParse(text) ? new URL(text).origin : text))
    .optional(),
  TRUSTED_PROXIES: list.refine(parts => parts.every(isAddressOrNetwork)),
  DATA_DIR: z.string().min(1).default('./data'),
  SECRET_KEY: z
    .string()
    .refine(text => rootKey(text) !== null)
    .optional(),
  SECRET_KEY_PREVIOUS: list.refine(parts => parts.every(part => rootKey(part) !== null)),
  LOG_LEVEL: z.enum(['debug', 'info', 'warn', 'error']).default('info'),
  API_RATE_LIMIT_PER_MINUTE: z.coerce.number().int().min(1).default(60),
  ALLOW_PRIVATE_DESTINATIONS: list.refine(areDestinations),
  MONTHLY_BUDGET_USD: z
    .string()
    .refine(text => microUsdOf(text) !== null)
    .optional(),
  // Its host is judged below, when it is known which private ones are allowed.
  OPERATOR_WEBHOOK_URL: z.string().optional(),
  WEBHOOK_SECRET: z.string().refine(isSigningSecret).optional(),
} satisfies Record<keyof typeof VARIABLES, z.ZodType>)

const Keys = (names: string[]) =>
  z.object(Object.fromEntries(names.map(name => [name, ProviderKey.exactOptional()])))

/** Named by the documentation of coming versions. Setting one must not look as if it worked. */
const NOT_YET = [
  'R2_ACCOUNT_ID',
  'R2_ACCESS_KEY_ID',
  'R2_SECRET_ACCESS_KEY',
  'R2_BUCKET_NAME',
  'R2_PUBLIC_URL',
  'S3_ENDPOINT',
  'S3_REGION',
  'S3_BUCKET',
  'S3_ACCESS_KEY_ID',
  'S3_SECRET_ACCESS_KEY',
  'CDN_URL',
  'GOOGLE_CLIENT_ID',
  'GOOGLE_CLIENT_SECRET',
  'MAX_UPLOAD_BYTES',
]

/**
 * `keyVariables` are those of the vendors' keys, each with what it takes in words: which vendors there are is
 * known elsewhere. Throws ConfigError with one line that names the variable and what it takes, never its value.
 */
export function readConfig(
  environment: Record<string, string | undefined> = process.env,
  keyVariables: { readonly [variable: string]: string } = {},
): Config {
  // A blank variable is how compose files and .env files say "not set".
  const given = Object.fromEntries(
    Object.entries(environment).filter(([, value]) => value?.trim() !== ''),
  )
  const takes: Record<string, string> = { ...VARIABLES, ...keyVariables }
  const parsed = Environment.safeParse(given)
  const keys = Keys(Object.keys(keyVariables)).safeParse(given)
  if (!parsed.success || !keys.success) {
    const issues = [...(parsed.error?.issues ?? []), ...(keys.error?.issues ?? [])]
    const names = new Set(issues.map(issue => String(issue.path[0])))
    throw new ConfigError([...names].map(name => `${name} must be ${takes[name]}`).join('; '))
  }
  const env = parsed.data
  const operatorWebhook = operatorWebhookOf(env)
  return {
    port: env.PORT,
    host: env.HOST,
    publicUrl: env.PUBLIC_URL ?? null,
    trustedProxies: env.TRUSTED_PROXIES,
    dataDir: env.DATA_DIR,
    secretKey: env.SECRET_KEY === undefined ? null : rootKey(env.SECRET_KEY),
    previousSecretKeys: env.SECRET_KEY_PREVIOUS.map(rootKey).filter(key => key !== null),
    logLevel: env.LOG_LEVEL,
    addressRateLimit: env.API_RATE_LIMIT_PER_MINUTE,
    allowPrivateDestinations: env.ALLOW_PRIVATE_DESTINATIONS,
    monthlyBudgetMicroUsd:
      env.MONTHLY_BUDGET_USD === undefined ? null : microUsdOf(env.MONTHLY_BUDGET_USD),
    operatorWebhook,
    providerKeys: keys.data,
    notYetUsed: NOT_YET.filter(name => given[name] !== undefined),
  }
}

/** Unsigned, anybody who knows the address could raise an alarm there, or an end to one. */
function operatorWebhookOf(env: z.output<typeof Environment>): Config['operatorWebhook'] {
  const { OPERATOR_WEBHOOK_URL: url, WEBHOOK_SECRET: secret } = env
  if (url === undefined) return null
  const problem = checkDestination(url, env.ALLOW_PRIVATE_DESTINATIONS)
  if (problem !== null || secret === undefined) {
    throw new ConfigError(`OPERATOR_WEBHOOK_URL must be ${VARIABLES.OPERATOR_WEBHOOK_URL}`)
  }
  return { url, secret }
}
