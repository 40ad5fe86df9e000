import { AppError, type InputProblem } from '@/base/errors'
import type { Deps, Realm } from '@/deps'
import { findApp, realmsOf } from '@/domain/apps'
import { checkInput, findModel } from '@/domain/catalog'
import * as pricing from '@/domain/pricing'
import { columns } from './columns'
import { type Command, type Context, SHELL, UsageError } from './command'
import { modeOf, readOptions } from './options'

/** A rule of twenty rows with tables of a hundred values is half of it. */
const MAX_CHARACTERS = 200_000
const WHERE = {
  app: { type: 'string' },
  mode: { type: 'string' },
  json: { type: 'boolean' },
} as const

export const pricesCommand: Command = {
  name: 'prices',
  usage: `hub prices list [--app S] [--mode live|test] [--json]
hub prices show SUBJECT [--try JSON] [--app S] [--mode live|test] [--json]
hub prices set SUBJECT [--try JSON] [--app S] [--mode live|test] [--json] < rule.json
hub prices remove SUBJECT [--app S] [--mode live|test] [--json]
  SUBJECT is model:NAME or feature:NAME. Without --app it is the price of every app that has none of its own.
  --try '{"input": {...}}' shows what this input costs; with \`set\` nothing is saved then.`,
  summary: 'Price rules of the hub and of apps',
  async run(context) {
    const [verb, ...args] = context.args
    const run = verb !== undefined && Object.hasOwn(VERBS, verb) ? VERBS[verb] : undefined
    if (!run) throw new UsageError('say `list`, `show`, `set` or `remove`')
    return await run({ ...context, args })
  },
}

const VERBS: Record<string, (context: Context) => Promise<number>> = { list, show, set, remove }

async function list(context: Context): Promise<number> {
  const { values } = readOptions(context.args, WHERE, 0)
  return await withRealm(context, values, ({ deps }, realm) => {
    const all = pricing.listPrices(deps, realm)
    if (values.json) context.out(JSON.stringify(all.map(present)))
    else if (all.length === 0) context.out(`There are no price rules ${whereText(realm)}.`)
    else {
      const rows = all.map(({ subject, version, example }) => [
        subject,
        `${version}`,
        `${example?.tokens ?? '-'}`,
      ])
      context.out(columns([['SUBJECT', 'VERSION', 'USUAL PRICE'], ...rows]))
    }
  })
}

async function show(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    { ...WHERE, try: { type: 'string' } },
    1,
  )
  const subject = subjectIn(positionals)
  const tried = inputIn(values.try)
  return await withRealm(context, values, ({ deps }, realm) => {
    if (tried)
      return showQuote(context, quoteInForce(deps, realm, subject, tried.input), values.json)
    const price = pricing.findPrice(deps, realm, subject)
    if (!price) throw new Error(`there is no rule for ${subject} ${whereText(realm)}`)
    showPrice(context, price, values.json)
  })
}

async function set(context: Context): Promise<number> {
  const { values, positionals } = readOptions(
    context.args,
    { ...WHERE, try: { type: 'string' } },
    1,
  )
  const subject = subjectIn(positionals)
  const tried = inputIn(values.try)
  const rule = await readRule(context)
  return await withRealm(context, values, async ({ deps }, realm) => {
    if (tried) {
      const { input } = tried
      const quote = pricing.tryRule(deps, { realm, subject, rule, input })
      return showQuote(context, quote, values.json)
    }
    const actor = realm ? { ...SHELL, realm } : SHELL
    showPrice(context, await pricing.setRule(deps, actor, { realm, subject, rule }), values.json)
  })
}

async function remove(context: Context): Promise<number> {
  const { values, positionals } = readOptions(context.args, WHERE, 1)
  const asked = subjectIn(positionals)
  return await withRealm(context, values, async ({ deps }, realm) => {
    if (!pricing.findPrice(deps, realm, asked)) {
      throw new Error(`there is no rule for ${asked} ${whereText(realm)}`)
    }
    const actor = realm ? { ...SHELL, realm } : SHELL
    const subject = await pricing.removeRule(deps, actor, { realm, subject: asked })
    if (values.json) context.out(JSON.stringify({ subject, deleted: true }))
    else context.out(`${subject}: no rule ${whereText(realm)} any more.`)
  })
}

/** What a call would be charged now: by the app's rule, else the hub's, else the plain price. */
function quoteInForce(deps: Deps, realm: Realm | null, subject: string, input: unknown) {
  const at = realm ?? HUB_ALONE
  const name = /^model:(.+)$/.exec(subject)?.[1]
  if (name === undefined) {
    const quote = pricing.featurePrice(deps, at, subject.replace(/^feature:/, ''), input)
    if (!quote) throw new Error(`there is no rule for ${subject}`)
    return quote
  }
  const model = findModel(deps, name)
  if (!model) throw new Error(`there is no model ${name}; \`hub models list\` shows what there is`)
  const checked = checkInput(deps, model, realm?.mode ?? 'live', input)
  return pricing.quote(deps, { realm: at, model, input: checked })
}

/** No app has this number, so that only the hub's rules are found. */
const HUB_ALONE = { id: pricing.HUB as Realm['id'] }

async function withRealm(
  context: Context,
  values: { app?: string | undefined; mode?: string | undefined },
  act: (hub: { deps: Deps }, realm: Realm | null) => void | Promise<void>,
): Promise<number> {
  const mode = modeOf(values.mode)
  if (values.app === undefined && values.mode !== undefined) {
    throw new UsageError('--mode goes with --app: the hub’s own prices hold in both')
  }
  const hub = await context.openHub()
  try {
    const app = values.app === undefined ? null : findApp(hub.deps.db, values.app)
    if (values.app !== undefined && !app) {
      throw new Error(`there is no app ${values.app}; \`hub apps list\` shows what there is`)
    }
    await act(hub, app ? realmsOf(hub.deps.db, app.id)[mode] : null)
    return 0
  } catch (error) {
    throw inWords(error)
  } finally {
    await hub.close()
  }
}

function showPrice(context: Context, price: pricing.PriceView, isJson = false): void {
  if (isJson) {
    context.out(JSON.stringify(present(price)))
    return
  }
  const { subject, version, rule, example } = price
  const usual = example ? `\nThe usual request:\n${stepsText(example)}` : ''
  context.out(`${subject}, version ${version}\n${JSON.stringify(rule, null, 2)}${usual}`)
}

function showQuote(context: Context, quote: pricing.Quote | null, isJson = false): void {
  if (!quote) throw new Error('this feature needs an input: --try \'{"input": {...}}\'')
  const { tokens, perOutput, steps, ruleVersion } = quote
  const shown = { tokens, per_output: perOutput, steps, rule_version: ruleVersion }
  context.out(isJson ? JSON.stringify(shown) : stepsText(quote))
}

function stepsText({ steps, tokens }: pricing.Quote): string {
  return [...steps.map(({ what }) => `  ${what}`), `  = ${tokens} tokens`].join('\n')
}

function present({ subject, version, rule, example }: pricing.PriceView) {
  return {
    subject,
    version,
    rule,
    example_tokens: example?.tokens ?? null,
    example_steps: example?.steps ?? [],
  }
}

function subjectIn([subject]: string[]): string {
  if (!subject) throw new UsageError('say which: model:NAME or feature:NAME')
  if (!/^(model|feature):./.test(subject))
    throw new UsageError('a subject is model:NAME or feature:NAME')
  return subject
}

function inputIn(text: string | undefined): { input: unknown } | null {
  if (text === undefined) return null
  const value = parse(text, '--try')
  if (typeof value === 'object' && value !== null && 'input' in value) return { input: value.input }
  throw new UsageError('--try takes {"input": {...}}')
}

async function readRule(context: Context): Promise<unknown> {
  if (process.stdin.isTTY) context.say('Type or paste the rule as JSON, then press Ctrl-D.')
  const text = await Bun.stdin.text()
  if (text.trim() === '')
    throw new UsageError('the rule is read from standard input, and nothing came')
  if (text.length > MAX_CHARACTERS) throw new UsageError('what came is no rule: it is too long')
  return parse(text, 'the rule')
}

function parse(text: string, what: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new UsageError(`${what} is not valid JSON`)
  }
}

function whereText(realm: Realm | null): string {
  return realm ? `in the app’s ${realm.mode} mode` : 'of the hub'
}

/** The fields at fault are of a rule or an input and no options. */
function inWords(error: unknown): unknown {
  if (!(error instanceof AppError)) return error
  const problems = (error.detail.details as InputProblem[] | undefined) ?? []
  if (problems.length === 0) return error
  return new Error(problems.map(({ path, message }) => `${path} ${message}`).join('\n'))
}
