import { describe, expect, test } from 'bun:test'
import { readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { Glob } from 'bun'
import manifest from '../package.json'

/**
 * The house, kept by a test: who may import whom, words that have a scar, and whose tables are whose.
 * ARCHITECTURE.md says why. A rule that stands in your way is changed here, in the same commit, with its
 * reason; the tests below plant one violation of each rule, so that none can fall asleep.
 */
type Source = { path: string; text: string }

const ROOT = join(import.meta.dir, '..')
const SELF = 'test/architecture.test.ts'
const SOURCES = readSources('{src,views,migrations,test,bench,scripts}/**/*.{ts,tsx,sql}')
const HOUSE = SOURCES.filter(({ path }) => /^(src|views)\//.test(path) && !path.endsWith('.d.ts'))

// --- who may import whom ---------------------------------------------------------------------------

/** `domain/*` is a noun's door, its index.ts. A room may always import itself. Types are free everywhere. */
const MAY_IMPORT: Record<string, string[]> = {
  base: [],
  db: ['base'],
  queue: ['base', 'db'],
  providers: ['base'],
  storage: ['base'],
  domain: ['base', 'db', 'queue', 'providers/spec', 'providers/errors', 'storage/spec', 'domain/*'],
  threads: ['base', 'db', 'domain/reports', 'domain/ledger', 'domain/backups'],
  http: ['base', 'domain/*'],
  admin: ['base', 'domain/*', 'views'],
  cli: ['base', 'domain/*'],
  workers: ['base', 'domain/*', 'queue', 'db/write'],
  views: [],
  // Types only, so that every floor may name it.
  deps: [],
}

/** They put the house together and may import all of it; nobody imports them. */
const COMPOSITION = ['main', 'serve', 'app', 'hub', 'version']

/** Everybody stands on these, so they stand on no sibling but the settings, which stand on none. */
const ALONE = ['ledger', 'idempotency', 'events', 'audit', 'settings']

const PACKAGES: { name: RegExp; rooms: string[]; why: string }[] = [
  {
    name: /^(elysia|@elysiajs\/.+)(\/|$)/,
    rooms: ['http', 'admin', 'app'],
    why: 'the domain knows no HTTP: throw an AppError and let the door render it',
  },
  { name: /^bun:sqlite$/, rooms: ['db'], why: 'use db/statements and db/write' },
  { name: /^drizzle-orm(\/|$)/, rooms: ['db', 'queue', 'domain'], why: 'doors call domain verbs' },
  {
    name: /^node:(http|https|http2|net|tls|dgram)$/,
    rooms: ['base'],
    why: 'what leaves the process goes through base/safe-fetch',
  },
]

/** Imports that remain when types are gone. */
function importsOf(source: Source): string[] {
  if (!/\.tsx?$/.test(source.path)) return []
  const transpiler = new Bun.Transpiler({ loader: source.path.endsWith('x') ? 'tsx' : 'ts' })
  return transpiler.scanImports(source.text).map(found => found.path)
}

/** `src/domain/jobs/submit.ts` is in the room `domain/jobs`; a file at the root of src is a room by itself. */
function roomOf(path: string): string {
  const [top = '', first = '', second = ''] = path.replace(/\.(d\.)?[a-z]+$/, '').split('/')
  if (top === 'views') return 'views'
  return first === 'domain' ? `domain/${second}` : first
}

/** Below the root and without ending (`src/db/write`), or null for a package. */
function targetOf(source: Source, specifier: string): string | null {
  if (specifier.startsWith('@/')) return `src/${specifier.slice(2)}`
  if (specifier.startsWith('@test/')) return specifier.slice(1)
  if (!specifier.startsWith('.')) return null
  return posix.join(posix.dirname(source.path), specifier).replace(/\.tsx?$/, '')
}

function importProblems(source: Source): string[] {
  const room = roomOf(source.path)
  if (!MAY_IMPORT[floorOf(room)] && !COMPOSITION.includes(room)) {
    return [`${source.path}: no rule for this folder; add a row to MAY_IMPORT`]
  }
  return importsOf(source).flatMap(specifier => {
    const target = targetOf(source, specifier)
    const problem =
      target === null
        ? packageProblem(room, specifier)
        : houseProblem(source, room, specifier, target)
    return problem ? [`${source.path} imports ${specifier}: ${problem}`] : []
  })
}

const floorOf = (room: string) => room.split('/')[0] ?? ''

function houseProblem(source: Source, room: string, specifier: string, target: string) {
  const other = roomOf(target)
  const place = target.replace(/^src\//, '')
  if (target.startsWith('test/')) return 'tests are not shipped'
  if (COMPOSITION.includes(room)) return null
  if (COMPOSITION.includes(other)) return 'nobody imports what puts the house together'
  if (room === other) return vendorProblem(source.path, target)
  if (specifier.startsWith('.')) return `write @/${place}; relative paths stay inside one room`
  const isAlone = ALONE.includes(room.replace('domain/', '')) && place !== 'domain/settings'
  if (isAlone && floorOf(other) === 'domain') {
    return 'this noun stands alone; compose the two in a verb of another noun'
  }
  const isAllowed = (MAY_IMPORT[floorOf(room)] ?? []).some(pattern =>
    pattern === 'domain/*'
      ? /^domain\/[^/]+$/.test(place)
      : place === pattern || place.startsWith(`${pattern}/`),
  )
  if (isAllowed) return null
  return /^domain\/[^/]+\/./.test(place)
    ? `a noun is entered by its index.ts: @/${other}`
    : `${room} may not import ${place}; see the import table in ARCHITECTURE.md`
}

/** One folder a vendor (and a kind of storage), and none knows another. */
function vendorProblem(path: string, target: string): string | null {
  const own = /^src\/(?:providers|storage)\/([^/]+)\//.exec(path)?.[1]
  const other = /^src\/(?:providers|storage)\/([^/]+)\//.exec(target)?.[1]
  return own && other && own !== other ? 'an adapter knows no other adapter' : null
}

function packageProblem(room: string, specifier: string): string | null {
  const rule = PACKAGES.find(({ name }) => name.test(specifier))
  if (rule && !rule.rooms.includes(floorOf(room))) {
    return `only ${rule.rooms.join(', ')} may; ${rule.why}`
  }
  const name = specifier.match(/^(@[^/]+\/)?[^/]+/)?.[0] ?? specifier
  const isShipped = /^(node:|bun(:|$))/.test(specifier) || name in manifest.dependencies
  return isShipped ? null : 'not among the dependencies of package.json'
}

/** Paths along which a file, or a noun of the domain, imports itself again. */
function circles(sources: Source[]): string[] {
  const known = new Map(sources.map(source => [source.path, source]))
  const files = new Map<string, Set<string>>()
  const nouns = new Map<string, Set<string>>()
  for (const source of sources) {
    for (const specifier of importsOf(source)) {
      const target = targetOf(source, specifier)
      const path = ['', '.ts', '.tsx', '/index.ts'].map(end => target + end).find(p => known.has(p))
      if (!path) continue
      link(files, source.path, path)
      const [from, to] = [roomOf(source.path), roomOf(path)]
      if (from !== to && floorOf(from) === 'domain' && floorOf(to) === 'domain') {
        link(nouns, from, to)
      }
    }
  }
  return [...circlesOf(files), ...circlesOf(nouns)]
}

function link(graph: Map<string, Set<string>>, from: string, to: string) {
  graph.set(from, (graph.get(from) ?? new Set()).add(to))
}

function circlesOf(graph: Map<string, Set<string>>): string[] {
  const found: string[] = []
  const done = new Set<string>()
  const visit = (node: string, trail: string[]) => {
    if (trail.includes(node)) {
      found.push(`a circle: ${[...trail.slice(trail.indexOf(node)), node].join(' -> ')}`)
      return
    }
    if (done.has(node)) return
    for (const next of graph.get(node) ?? []) visit(next, [...trail, node])
    done.add(node)
  }
  for (const node of graph.keys()) visit(node, [])
  return found
}

// --- words that have a scar ------------------------------------------------------------------------

type Ban = {
  word: RegExp
  /** What it looks like when somebody forgets: planted below. */
  example: string
  /** A file with this line means something else by the word. */
  unless?: RegExp
  /** Files (or folders, with a slash at the end) that may. */
  except: string[]
  instead: string
  /** Where it is looked for; absent: in src and views. */
  everywhere?: true
}

const BANS: Ban[] = [
  {
    word: /\.transaction\(/,
    example: 'db.orm.transaction(() => {})',
    except: ['src/db/write.ts'],
    instead: 'write(db, tx => ...): an async transaction commits at its first await',
  },
  {
    word: /\b(BEGIN (IMMEDIATE|EXCLUSIVE|DEFERRED|TRANSACTION)|SAVEPOINT \w)/,
    example: "sqlite.run('BEGIN IMMEDIATE')",
    except: ['src/db/write.ts', 'src/db/migrate.ts', 'src/db/lock.ts'],
    instead: 'write(db, tx => ...) is the one transaction door',
  },
  {
    word: /\bUPDATE users SET\b[^`'";]*\b(balance|reserved|bucketed|owed)\s*=|\bINSERT INTO users\b[^`'";]*\b(balance|reserved|bucketed|owed)\b/,
    example: "command('UPDATE users SET name = $name, balance = $balance')",
    except: ['src/domain/ledger/'],
    instead: 'a verb of domain/ledger, which writes the entry that explains it',
  },
  {
    word: /\borm\s*\.(insert|update|delete)\(/,
    example: 'db.orm.insert(jobs)',
    except: [],
    instead: 'command or returning of db/statements',
  },
  {
    word: /\b(process|Bun|import\.meta)\.env\b/,
    example: 'process.env.PORT',
    except: ['src/base/config.ts'],
    instead: 'deps.config: base/config.ts is the only reader of the environment',
  },
  {
    word: /\bDate\.now\b|\bnew Date\(\s*\)/,
    example: 'const now = Date.now()',
    except: ['src/base/clock.ts'],
    instead: 'tx.now, clock.now() or clock.wall()',
  },
  {
    word: /(?<![.\w$])fetch\(|\b(globalThis|Bun|self)\.fetch\b/,
    example: 'await fetch(url)',
    // Shell commands have no deps and make a guarded one of their own.
    unless: /^\s*const fetch = createSafeFetch\(/m,
    except: ['src/base/safe-fetch.ts'],
    instead: 'deps.fetch: the global one opens file: and private addresses',
  },
  {
    word: /\bsetInterval\(/,
    example: 'setInterval(tick, 1000)',
    except: ['src/workers/schedule.ts'],
    instead: 'a line in SCHEDULE',
  },
  {
    word: /\bnew Worker\(/,
    example: 'new Worker(url)',
    except: ['src/threads/pool.ts'],
    instead: 'a task in threads/tasks.ts',
  },
  {
    word: /\bDEFERRABLE\b|\bRAISE\s*\(\s*ROLLBACK|\bOR ROLLBACK\b/i,
    example: 'INSERT OR ROLLBACK INTO jobs',
    // It breaks groups on purpose.
    except: ['test/db/write.test.ts'],
    instead: 'RAISE(ABORT): a rollback ends the transaction of every neighbour in the group',
    everywhere: true,
  },
  {
    word: /\bdangerouslySetInnerHTML\b|\.(inner|outer)HTML\s*=|\binsertAdjacentHTML\(/,
    example: '<p dangerouslySetInnerHTML={{ __html: prompt }} />',
    except: ['views/components/'],
    instead: 'JSX, which escapes',
  },
  {
    word: /\b(test|it|describe)(\.\w+)*\.(only|skip|todo)\(/,
    example: "test.only('x', () => {})",
    except: [],
    instead: 'a test that runs, or none',
    everywhere: true,
  },
  {
    word: /\bFIXME\b/,
    example: 'const x = 1 // FIXME later',
    except: [],
    instead: 'the fix',
    everywhere: true,
  },
]

const FOR_A_TEST_ONLY = /^(test|bench|scripts|migrations)\//

function wordProblems(source: Source): string[] {
  if (source.path === SELF) return []
  return BANS.flatMap(ban => {
    if (FOR_A_TEST_ONLY.test(source.path) && !ban.everywhere) return []
    if (ban.except.some(place => source.path === place || isIn(source.path, place))) return []
    // A FIXME lives in comments; everything else may be spoken of there.
    const text = ban.word.source.includes('FIXME') ? source.text : withoutComments(source)
    const at = text.search(ban.word)
    if (at < 0 || ban.unless?.test(text)) return []
    const line = text.slice(0, at).split('\n').length
    return [`${source.path}:${line} has \`${text.match(ban.word)?.[0]}\`: use ${ban.instead}`]
  })
}

const isIn = (path: string, place: string) => place.endsWith('/') && path.startsWith(place)

/** Blanked, so that lines keep their numbers. */
function withoutComments({ path, text }: Source): string {
  const blank = (comment: string) => comment.replace(/[^\n]/g, ' ')
  if (path.endsWith('.sql')) return text.replace(/--.*$/gm, blank)
  return text.replace(/^[ \t]*\/\*[\s\S]*?\*\//gm, blank).replace(/(^|\s)\/\/.*$/gm, blank)
}

// --- whose tables are whose ------------------------------------------------------------------------

/** Who writes a table. Anybody may read through that room's door; reports may read every table. */
const WRITERS: Record<string, string[]> = {
  hub: ['db', 'domain/settings'],
  hub_migrations: ['db'],
  settings: ['domain/settings'],
  tasks: ['queue'],
  apps: ['domain/apps'],
  realms: ['domain/apps'],
  api_keys: ['domain/apps'],
  // An app's webhook_url is its first endpoint, and its secret is shown when the app is made.
  webhook_endpoints: ['domain/apps', 'domain/webhooks'],
  webhook_deliveries: ['domain/webhooks'],
  events: ['domain/events'],
  inbox: ['domain/generation'],
  attempts: ['domain/generation'],
  // The catalogue says who there is, an operator and the checks what holds of them.
  providers: ['domain/catalog', 'domain/providers'],
  models: ['domain/catalog'],
  model_routes: ['domain/catalog'],
  route_metrics: ['domain/routing'],
  jobs: ['domain/jobs'],
  job_inputs: ['domain/jobs'],
  job_outputs: ['domain/jobs'],
  files: ['domain/files'],
  // The ledger moves balance and reserved, users the rest; see BANS.
  users: ['domain/users', 'domain/ledger'],
  user_identities: ['domain/users'],
  erased_users: ['domain/users'],
  holds: ['domain/ledger'],
  hold_parts: ['domain/ledger'],
  token_buckets: ['domain/ledger'],
  token_entries: ['domain/ledger'],
  plans: ['domain/plans'],
  subscriptions: ['domain/plans'],
  usage_daily: ['domain/usage'],
  usage_daily_total: ['domain/usage'],
  counters: ['domain/limits'],
  budget_alerts: ['domain/limits'],
  operator_events: ['domain/webhooks'],
  pricing_rules: ['domain/pricing'],
  idempotency_keys: ['domain/idempotency'],
  audit_log: ['domain/audit'],
}

const WRITES = /\b(?:INSERT(?: OR [A-Z]+)? INTO|REPLACE INTO|UPDATE|DELETE FROM)\s+"?([a-z_]+)\b/g

function tableProblems(source: Source): string[] {
  if (!source.path.startsWith('src/') || !source.path.endsWith('.ts')) return []
  const room = roomOf(source.path)
  return [...withoutComments(source).matchAll(WRITES)].flatMap(([, table = '']) => {
    const writers = WRITERS[table]
    if (!writers) return [`${source.path} writes ${table}: name its writer in WRITERS`]
    if (writers.includes(room)) return []
    return [`${source.path} writes ${table}: call a verb of ${writers.join(' or ')}`]
  })
}

// --- sizes -----------------------------------------------------------------------------------------

const LINES_TO_LOOK_AGAIN = 400

/** Looked at again, and kept whole for this reason. */
const LONG_FILES: Record<string, string> = {}

function sizeProblems({ path, text }: Source): string[] {
  const lines = text.split('\n').length - 1
  if (lines <= LINES_TO_LOOK_AGAIN || path in LONG_FILES) return []
  return [`${path} has ${lines} lines: split it by verb, or give its reason in LONG_FILES`]
}

// --- the house as it is ----------------------------------------------------------------------------

function readSources(pattern: string): Source[] {
  const paths = [...new Glob(pattern).scanSync({ cwd: ROOT })].sort()
  return paths.map(path => ({ path, text: readFileSync(join(ROOT, path), 'utf8') }))
}

describe('the house', () => {
  test('is read whole', () => {
    expect(HOUSE.length).toBeGreaterThan(100)
    expect(SOURCES.some(({ path }) => path === SELF)).toBe(true)
    expect(SOURCES.some(({ path }) => path.endsWith('.sql'))).toBe(true)
  })
  test('imports only downwards, by doors', () => {
    expect(HOUSE.flatMap(importProblems)).toEqual([])
  })
  test('has no circles', () => {
    expect(circles(HOUSE)).toEqual([])
  })
  test('uses no banned words', () => {
    expect(SOURCES.flatMap(wordProblems)).toEqual([])
  })
  test('writes each table in one place', () => {
    expect(HOUSE.flatMap(tableProblems)).toEqual([])
  })
  test('has no file that nobody would read to its end', () => {
    expect(HOUSE.flatMap(sizeProblems)).toEqual([])
  })
  test('needs every exception it makes', () => {
    const exceptions = [...BANS.flatMap(ban => ban.except), ...Object.keys(LONG_FILES)]
    const paths = SOURCES.map(({ path }) => path)
    const gone = exceptions.filter(place => !place.endsWith('/') && !paths.includes(place))
    expect(gone).toEqual([])
    const isLong = (path: string) => sizeOf(path) > LINES_TO_LOOK_AGAIN
    expect(Object.keys(LONG_FILES).filter(path => !isLong(path))).toEqual([])
  })
})

function sizeOf(path: string): number {
  return (SOURCES.find(source => source.path === path)?.text.split('\n').length ?? 0) - 1
}

// --- the rules themselves --------------------------------------------------------------------------

const planted = (path: string, text: string): Source => ({ path, text })

describe('a wrong import is found', () => {
  const wrong: [string, string, string][] = [
    ['src/base/x.ts', "import { write } from '@/db/write'", 'may not import db/write'],
    ['src/db/x.ts', "import { enqueue } from '@/queue/enqueue'", 'may not import queue/enqueue'],
    ['src/providers/fal/x.ts', "import { write } from '@/db/write'", 'may not import db/write'],
    ['src/providers/fal/x.ts', "import { y } from '../replicate/y'", 'knows no other adapter'],
    ['src/storage/s3/x.ts', "import '@/domain/files'", 'may not import domain/files'],
    ['src/domain/jobs/x.ts', "import { r } from '@/providers/registry'", 'may not import'],
    ['src/domain/jobs/x.ts', "export { app } from '@/http/v1/jobs'", 'may not import http'],
    ['src/domain/jobs/x.ts', "await import('@/domain/ledger/hold')", 'entered by its index.ts'],
    ['src/domain/jobs/x.ts', "import { hold } from '../ledger'", 'write @/domain/ledger'],
    ['src/domain/ledger/x.ts', "import { find } from '@/domain/users'", 'stands alone'],
    ['src/domain/ledger/x.ts', "import { save } from '@/domain/settings/save'", 'stands alone'],
    ['src/http/v1/x.ts', "import { write } from '@/db/write'", 'may not import db/write'],
    ['src/http/v1/x.ts', "import { kinds } from '@/workers/kinds'", 'may not import workers'],
    ['src/http/v1/x.ts', "import '@/domain/jobs/submit'", 'entered by its index.ts'],
    ['src/workers/x.ts', "import { command } from '@/db/statements'", 'may not import'],
    ['src/cli/x.ts', "import { Page } from '../../views/page'", 'write @/'],
    ['src/deps.ts', "import { createLog } from './base/log'", 'write @/base/log'],
    ['src/deps.ts', "import { createLog } from '@/base/log'", 'deps may not import'],
    ['src/workers/x.ts', "import { createApp } from '@/app'", 'nobody imports'],
    ['src/domain/jobs/x.ts', "import { testDb } from '@test/support/test-db'", 'not shipped'],
    ['src/newroom/x.ts', '', 'no rule for this folder'],
    ['src/domain/jobs/x.ts', "import { Elysia } from 'elysia'", 'only http, admin, app may'],
    ['src/domain/jobs/x.ts', "import { openapi } from '@elysiajs/openapi'", 'only http'],
    ['src/domain/jobs/x.ts', "import { Database } from 'bun:sqlite'", 'only db may'],
    ['src/http/x.ts', "import { eq } from 'drizzle-orm'", 'only db, queue, domain may'],
    ['src/domain/jobs/x.ts', "import { request } from 'node:https'", 'only base may'],
    ['src/domain/jobs/x.ts', "import Ajv from 'ajv'", 'not among the dependencies'],
  ]
  test.each(wrong)('%s: %s', (path, text, says) => {
    const found = importProblems(planted(path, text))
    expect(found).toHaveLength(1)
    expect(found[0]).toContain(says)
  })

  const right: [string, string][] = [
    ['src/base/x.ts', "import type { Db } from '@/db/open'"],
    ['src/base/x.ts', "import { type Db } from '@/db/open'"],
    ['src/db/x.ts', "import type { Database } from 'bun:sqlite'\nimport './y'"],
    ['src/domain/jobs/x.ts', "import { hold } from '@/domain/ledger'\nimport { z } from 'zod'"],
    ['src/domain/jobs/x.ts', "import { end } from './end'\nimport '@/providers/errors'"],
    ['src/domain/ledger/x.ts', "import { readSetting } from '@/domain/settings'"],
    ['src/providers/fal/x.ts', "import { ProviderError } from '../errors'"],
    ['src/workers/x.ts', "import { write } from '@/db/write'\nimport '@/queue/enqueue'"],
    ['src/hub.ts', "import { openDb } from './db/open'\nimport '@/providers/sandbox/sandbox'"],
  ]
  test.each(right)('and a right one is not: %s %s', (path, text) => {
    expect(importProblems(planted(path, text))).toEqual([])
  })
})

describe('a circle is found', () => {
  test('of files', () => {
    const files = [
      planted('src/base/a.ts', "import './b'"),
      planted('src/base/b.ts', "import '@/base/c'"),
      planted('src/base/c.ts', "import { a } from './a'"),
    ]
    expect(circles(files)).toEqual([
      'a circle: src/base/a.ts -> src/base/b.ts -> src/base/c.ts -> src/base/a.ts',
    ])
    const byType = planted('src/base/c.ts', "import type { A } from './a'")
    expect(circles([...files.slice(0, 2), byType])).toEqual([])
  })
  test('of nouns, though no file meets itself', () => {
    const files = [
      planted('src/domain/a/index.ts', "export { one } from './one'"),
      planted('src/domain/a/one.ts', "import '@/domain/b'"),
      planted('src/domain/a/two.ts', ''),
      planted('src/domain/b/index.ts', "export { x } from './x'"),
      planted('src/domain/b/x.ts', ''),
      planted('src/domain/b/y.ts', "import '@/domain/a'"),
    ]
    expect(circles(files)).toEqual(['a circle: domain/a -> domain/b -> domain/a'])
  })
})

describe('a banned word is found', () => {
  test.each(BANS.map(ban => [ban.example, ban] as const))('%s', (example, ban) => {
    const found = wordProblems(planted('src/domain/jobs/x.ts', `const a = 1\n${example}\n`))
    expect(found).toHaveLength(1)
    expect(found[0]).toStartWith('src/domain/jobs/x.ts:2 ')
    expect(found[0]).toContain(ban.instead)
    for (const place of ban.except) {
      const path = place.endsWith('/') ? `${place}x.ts` : place
      expect(wordProblems(planted(path, example))).toEqual([])
    }
    const inTests = wordProblems(planted('test/domain/x.test.ts', example))
    expect(inTests).toHaveLength(ban.everywhere ? 1 : 0)
  })
  test('in SQL too, and in no comment', () => {
    const sql = 'CREATE TRIGGER t BEFORE UPDATE ON jobs BEGIN SELECT RAISE(ROLLBACK, 1); END;'
    expect(wordProblems(planted('migrations/0009_x.sql', sql))).toHaveLength(1)
    expect(wordProblems(planted('migrations/0009_x.sql', `-- ${sql}`))).toEqual([])
    const comments = '/** Not Date.now(), because\n * fetch(url) */\nconst a = 1 // setInterval(a)'
    expect(wordProblems(planted('src/base/x.ts', comments))).toEqual([])
    expect(wordProblems(planted('src/base/x.ts', 'const at = new Date(row.createdAt)'))).toEqual([])
    const afterAddress = "const a = 'https://x/*'; const b = Date.now()"
    expect(wordProblems(planted('src/base/x.ts', afterAddress))).toHaveLength(1)
    expect(wordProblems(planted('src/http/x.ts', 'deps.fetch(a); prefetch(b)'))).toEqual([])
    const own = '  const fetch = createSafeFetch({ allowPrivate })\n  await fetch(url)'
    expect(wordProblems(planted('src/cli/x.ts', own))).toEqual([])
  })
})

test('a write to the table of another room is found', () => {
  const write = 'command(`INSERT INTO token_entries (id) VALUES ($id)`)'
  expect(tableProblems(planted('src/domain/ledger/x.ts', write))).toEqual([])
  expect(tableProblems(planted('src/domain/jobs/x.ts', write))).toEqual([
    'src/domain/jobs/x.ts writes token_entries: call a verb of domain/ledger',
  ])
  const drop = "command('DELETE FROM tasks WHERE id = $id')"
  expect(tableProblems(planted('src/workers/x.ts', drop))).toHaveLength(1)
  const unknown = 'returning(`UPDATE gadgets\n   SET a = 1 RETURNING a`)'
  expect(tableProblems(planted('src/domain/jobs/x.ts', unknown))[0]).toContain('name its writer')
  const upsert = 'INSERT INTO jobs (id) VALUES (1) ON CONFLICT DO UPDATE SET id = 2'
  expect(tableProblems(planted('src/domain/jobs/x.ts', upsert))).toEqual([])
})

test('a file that grew too long is found', () => {
  expect(sizeProblems(planted('src/base/x.ts', 'a\n'.repeat(400)))).toEqual([])
  expect(sizeProblems(planted('src/base/x.ts', 'a\n'.repeat(401)))).toHaveLength(1)
})
