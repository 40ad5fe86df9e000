import { AppError, invalidInput } from '@/base/errors'
import { type AppId, formatId, type RealmId } from '@/base/ids'
import { checkDestination } from '@/base/safe-fetch'
import { command } from '@/db/statements'
import { write } from '@/db/write'
import type { Actor, Deps, Mode } from '@/deps'
import { record } from '@/domain/audit'
import { insertKey } from './create-key'
import { type App, findApp } from './find'
import { sealWebhookSecret } from './webhook-secret'

export type NewApp = {
  name: string
  slug: string
  keyPrefix?: string
  /** Tokens that a new user starts with, in both modes. */
  welcomeGrant?: number
  rateLimitPerUser?: number
  rateLimitPerApp?: number
  webhookUrl?: string
}

/** The only moment these four are readable. */
export type CreatedApp = {
  app: App
  apiKey: string
  testApiKey: string
  webhookSecret: string
  testWebhookSecret: string
}

/** Calls a minute that create or change something. */
export const DEFAULT_LIMITS = { perUser: 30, perApp: 1_000 }
const MAX_WELCOME_GRANT = 1_000_000_000
const MAX_RATE = 1_000_000

const insertApp = command<{
  id: number
  name: string
  slug: string
  keyPrefix: string
  welcomeGrant: number
  perUser: number
  perApp: number
  now: number
}>(
  `INSERT INTO apps (id, name, slug, key_prefix, welcome_grant, rate_limit_per_user, rate_limit_per_app,
     is_enabled, created_at, updated_at)
   VALUES ($id, $name, $slug, $keyPrefix, $welcomeGrant, $perUser, $perApp, 1, $now, $now)`,
)
const insertRealm = command<{ id: number; appId: number; mode: string; secret: string }>(
  'INSERT INTO realms (id, app_id, mode, webhook_secret_sealed) VALUES ($id, $appId, $mode, $secret)',
)
const insertEndpoint = command<{ id: number; realmId: number; url: string; now: number }>(
  `INSERT INTO webhook_endpoints (id, realm_id, url, is_enabled, created_at, updated_at)
   VALUES ($id, $realmId, $url, 1, $now, $now)`,
)

/** An app with its two realms and a secret key for each. Throws 400 naming the field, 409 when the slug is taken. */
export async function createApp(deps: Deps, actor: Actor, input: NewApp): Promise<CreatedApp> {
  const app = checked(deps, input)
  return await write(deps.db, tx => {
    if (findApp(tx, app.slug)) {
      throw new AppError('conflict', { internal: `an app with the slug ${app.slug} exists` })
    }
    const appId = tx.id<AppId>()
    insertApp.run(tx, { id: appId, ...app.row, now: tx.now })
    const made = { live: makeRealm('live'), test: makeRealm('test') }
    record(tx, actor, 'app.create', formatId('app', appId), { slug: app.slug, name: input.name })
    const row = findApp(tx, app.slug)
    if (!row) throw new Error('the app was just made')
    return {
      app: row,
      apiKey: made.live.key,
      testApiKey: made.test.key,
      webhookSecret: made.live.secret,
      testWebhookSecret: made.test.secret,
    }

    function makeRealm(mode: Mode): { key: string; secret: string } {
      const realmId = tx.id<RealmId>()
      const secret = `whsec_${Buffer.from(tx.randomBytes(32)).toString('base64')}`
      const sealed = sealWebhookSecret(deps.secrets, realmId, secret, tx.randomBytes(12))
      insertRealm.run(tx, { id: realmId, appId, mode, secret: sealed })
      const key = insertKey(tx, { realmId, prefix: app.row.keyPrefix, mode, kind: 'secret' })
      if (app.webhookUrl) {
        insertEndpoint.run(tx, { id: tx.id(), realmId, url: app.webhookUrl, now: tx.now })
      }
      return { key: key.text, secret }
    }
  })
}

function checked(deps: Deps, input: NewApp) {
  const name = input.name.trim()
  if (name === '' || name.length > 100) throw invalidInput('name', 'must have 1 to 100 characters')
  if (!/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?$/.test(input.slug)) {
    throw invalidInput('slug', 'must have 1 to 40 lower-case letters, digits and inner hyphens')
  }
  const keyPrefix = input.keyPrefix ?? defaultPrefix(input.slug)
  if (!/^[a-z0-9]{2,12}$/.test(keyPrefix)) {
    throw invalidInput('prefix', 'must have 2 to 12 lower-case letters and digits')
  }
  const problem = input.webhookUrl
    ? checkDestination(input.webhookUrl, deps.config.allowPrivateDestinations)
    : null
  if (problem) throw invalidInput('webhook_url', problem)
  return {
    slug: input.slug,
    webhookUrl: input.webhookUrl ?? null,
    row: {
      name,
      slug: input.slug,
      keyPrefix,
      welcomeGrant: whole('grant', input.welcomeGrant ?? 0, 0, MAX_WELCOME_GRANT),
      perUser: whole(
        'rate_per_user',
        input.rateLimitPerUser ?? DEFAULT_LIMITS.perUser,
        1,
        MAX_RATE,
      ),
      perApp: whole('rate_per_app', input.rateLimitPerApp ?? DEFAULT_LIMITS.perApp, 1, MAX_RATE),
    },
  }
}

function whole(path: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value
  throw invalidInput(path, `must be a whole number from ${min} to ${max}`)
}

/** The slug's first letters and digits; a slug of one gets a second letter. */
function defaultPrefix(slug: string): string {
  return slug
    .replace(/[^a-z0-9]/g, '')
    .slice(0, 12)
    .padEnd(2, 'x')
}
