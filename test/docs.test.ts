import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Glob } from 'bun'
import type { z } from 'zod'
import { VARIABLES } from '@/base/config'
import { ERRORS } from '@/base/errors'
import { sha256Hex } from '@/base/secrets'
import { MODELS } from '@/domain/catalog/seed/models'
import { describeFailure } from '@/domain/jobs'
import { sign } from '@/domain/webhooks/sign'
import scalar from '@/http/docs/scalar.json'
import { AcceptedJobBody, ErrorBody, OutputBody } from '@/http/schemas'
import { GENERATE } from '@/http/v1/generate'
import { KEY_VARIABLES } from '@/providers/vendors'
import manifest from '../package.json'

/** What the pages say is what the code does. */
const ROOT = join(import.meta.dir, '..')
const read = (path: string) => readFileSync(join(ROOT, path), 'utf8')

const PAGES = filesOf('*.md', 'docs/**/*.md', 'bench/*.md')
const BUN = manifest.engines.bun

describe('errors.md', () => {
  const [answers = '', jobs = ''] = read('docs/errors.md').split('## Codes of jobs')
  test('has every code of an answer with its status, and no other', () => {
    const written = tableOf(answers).map(([code, status]) => [word(code), Number(status)])
    const known = Object.entries(ERRORS).map(([code, { status }]) => [code, status])
    expect(sorted(written)).toEqual(sorted(known))
  })
  test('has every code of a job and whether it is worth another try, and no other', () => {
    const source = read('src/domain/jobs/failure.ts').split('} as const')[0] ?? ''
    const known = [...source.matchAll(/^ {2}([a-z_]+): \{$/gm)].map(([, code = '']) => [
      code,
      describeFailure(code).isRetryable ? 'yes' : 'no',
    ])
    expect(known.length).toBeGreaterThan(3)
    const written = tableOf(jobs).map(([code, retryable]) => [word(code), retryable])
    expect(sorted(written)).toEqual(sorted(known))
  })
})

describe('settings', () => {
  /** Read by compose.yaml and not by the hub. */
  const COMPOSE_ONLY = ['DOMAIN']
  const variables = { ...VARIABLES, ...KEY_VARIABLES }
  const known = Object.keys(variables)
  test('.env.example has every variable with what it takes, and no other', () => {
    const example = read('.env.example')
    const written = [...example.matchAll(/^(?:# )?([A-Z][A-Z0-9_]+)=/gm)].map(([, name]) => name)
    expect(sorted(written)).toEqual(sorted([...known, ...COMPOSE_ONLY]))
    for (const [name, takes] of Object.entries(variables)) {
      expect(example).toContain(`# ${name}: ${takes}\n`)
    }
    for (const name of COMPOSE_ONLY) expect(read('compose.yaml')).toContain(`\${${name}:`)
  })
  test('.env.example as it is sets nothing', () => {
    expect(read('.env.example')).not.toMatch(/^[^#\n]/m)
  })
  test('the README has every variable, and no other', () => {
    const [, settings = ''] = read('README.md').split('\n## Settings\n')
    const [table = ''] = settings.split('\n## ')
    expect(tableOf(table).map(([name]) => word(name))).toEqual(known)
  })
})

describe('pages', () => {
  test('are found', () => {
    expect(PAGES).toContain('README.md')
    expect(PAGES.length).toBeGreaterThan(20)
  })
  test('link to files and headings that exist', () => {
    expect(PAGES.flatMap(path => brokenLinks(path, read(path)))).toEqual([])
  })
  test('and a broken link is found', () => {
    const page =
      '[a](gone.md) [b](LICENSE) [c](README.md#no-such) [d](https://x.test/y) ![e](#five)'
    expect(brokenLinks('README.md', page)).toEqual([
      'README.md links to gone.md',
      'README.md links to README.md#no-such',
      'README.md links to #five',
    ])
    expect(
      brokenLinks('docs/adr/x.md', '[a](../errors.md#codes-of-jobs) [b](../../LICENSE)'),
    ).toEqual([])
  })
  test('list every decision', () => {
    const decisions = filesOf('docs/adr/0*.md').map(path => path.replace('docs/adr/', ''))
    const index = read('docs/adr/README.md')
    expect(decisions.filter(name => !index.includes(`](${name})`))).toEqual([])
    for (const name of decisions) {
      const page = read(`docs/adr/${name}`)
      expect(page).toStartWith(`# ${name.slice(0, 4)}. `)
      for (const part of ['Context', 'Decision', 'Consequences', 'Alternatives']) {
        expect(page, `${name} has ${part}`).toContain(`\n## ${part}\n`)
      }
    }
  })
  test('and everything else that is shipped name no machine of ours', () => {
    const folders = ['docs', 'src', 'views', 'test', 'bench', 'scripts', 'migrations']
    const paths = filesOf('*', '.ci/*', ...folders.map(folder => `${folder}/**/*`)).filter(
      path =>
        !/\.(gz|png|jpe?g|webp|mp4|woff2?|ttf)$|^bun\.lock$|^\.env$|^test\/docs\.test/.test(path),
    )
    expect(paths.length).toBeGreaterThan(200)
    const texts = paths.filter(path => SOMEBODYS_FOLDER.test(read(path)))
    expect(texts).toEqual([])
    for (const name of ['see /home/me/hub', '/Users/me/hub', '/root/hub', '/workspace/hub']) {
      expect(name).toMatch(SOMEBODYS_FOLDER)
    }
  })
})

/** A path that exists on one machine only. */
const SOMEBODYS_FOLDER = /\/(home|Users|workspace|work)\/\w+|\/root\//

describe('code on the pages', () => {
  test('the curl of the README is a call that the hub takes', () => {
    const [, body = ''] = /-d '(\{.+\})'/.exec(read('README.md')) ?? []
    const call = GENERATE.body.parse(JSON.parse(body))
    expect(MODELS.map(model => model.name)).toContain(call.model)
  })
  test('the receiver of webhooks.md knows our signature from another', async () => {
    const { verify } = await moduleOf(codeIn('docs/webhooks.md', '// verify.mjs'))
    const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`
    const body = '{"id":"evt_1","name":"ö"}'
    const now = 1_768_473_000
    const headers = new Headers(sign(secret, { id: 'evt_1', wallSeconds: now, body }))
    expect(verify(secret, body, headers, now + 299)).toEqual({ id: 'evt_1', name: 'ö' })
    expect(verify(secret, body, headers, now + 301)).toBeNull()
    expect(verify(secret, `${body} `, headers, now)).toBeNull()
    const other = `whsec_${Buffer.alloc(32, 8).toString('base64')}`
    expect(verify(other, body, headers, now)).toBeNull()
    expect(verify(secret, body, new Headers(), now)).toBeNull()
  })
  test('the Swift structs decode whatever the hub sends', () => {
    const swift = codeIn('docs/swift.md', '// HubClient.swift')
    const [job = ''] = /struct Job: [\s\S]*?\n\}\n/.exec(swift) ?? []
    const [output = ''] = /struct Output: [\s\S]*?\n {4}\}\n/.exec(job) ?? []
    const [problem = ''] = /struct HubError: [\s\S]*?\n\}\n/.exec(swift) ?? []
    for (const struct of [job, output, problem]) {
      expect(struct.match(/\blet /g)?.length).toBeGreaterThan(5)
    }
    const ownOfJob = job.replace(output, '')
    expect(undecodable(ownOfJob, AcceptedJobBody.shape)).toEqual([])
    expect(undecodable(output, OutputBody.shape)).toEqual([])
    expect(undecodable(problem, ErrorBody.shape)).toEqual([])
    const wrong = '  let jobId: String\n  let madeUp: Int?\n  let errorCode: String\n'
    expect(undecodable(wrong, AcceptedJobBody.shape)).toEqual([
      'made_up is not sent',
      'error_code may be null',
    ])
    const cases = /case (.+)/.exec(swift)?.[1]?.split(', ')
    expect(cases).toEqual([...AcceptedJobBody.shape.status.options])
  })
})

describe('dependencies', () => {
  const shipped: Record<string, string> = manifest.dependencies
  const all: Record<string, string> = { ...shipped, ...manifest.devDependencies }
  test('each is on its page with its license, and no other', () => {
    const written = tableOf(read('docs/dependencies.md')).map(([name, license]) => [
      word(name),
      license,
    ])
    const known = Object.keys(all).map(name => {
      const { license } = JSON.parse(read(`node_modules/${name}/package.json`))
      return [name, license]
    })
    expect(sorted(written)).toEqual(sorted(known))
  })
  test('have exact versions', () => {
    expect(Object.entries(all).filter(([, version]) => !isExact(version))).toEqual([])
    expect(['^1.2.3', '~1.2.3', '1.2', '*', 'latest'].filter(isExact)).toEqual([])
  })
  test('run nothing when they are installed', () => {
    // Without the empty list Bun trusts some hundred names of its own.
    expect(manifest).toHaveProperty('trustedDependencies', [])
  })
  test('include no version with a known hole', () => {
    const lock = versionsIn(read('bun.lock'))
    expect(lock.length).toBeGreaterThan(Object.keys(all).length)
    expect(lock.filter(isKnownBad)).toEqual([])
    const bad = ['elysia@1.4.26', 'drizzle-orm@0.45.1', '@elysiajs/swagger@1.3.1', 's3rver@3.7.1']
    expect(bad.map(splitVersion).filter(isKnownBad)).toHaveLength(bad.length)
    expect(isKnownBad(splitVersion('elysia@1.4.27'))).toBe(false)
  })
  test('the runtime is one and has no known hole either', () => {
    expect(Bun.semver.satisfies(BUN, '>=1.3.5')).toBe(true)
    expect(Bun.version).toBe(BUN)
    expect(manifest.packageManager).toBe(`bun@${BUN}`)
    expect(manifest.devDependencies['bun-types']).toBe(BUN)
    expect(read('Dockerfile')).toContain(`FROM oven/bun:${BUN} AS`)
    expect(read('.ci/run')).toContain(`BUN_VERSION=${BUN}\n`)
    const named = PAGES.flatMap(path => [...read(path).matchAll(/\b[Bb]un[ @](\d+\.\d+\.\d+)/g)])
    expect(named.length).toBeGreaterThan(2)
    expect(new Set(named.map(([, version]) => version))).toEqual(new Set([BUN]))
  })
  test('SQLite is none of those that damage a WAL database', () => {
    const { version } = new Database(':memory:')
      .query('SELECT sqlite_version() AS version')
      .get() as {
      version: string
    }
    expect(Bun.semver.satisfies(version, '>=3.51.3')).toBe(true)
    expect(version).not.toBe('3.52.0')
  })
  test('the script of the reference page is the one that was looked at', () => {
    const file = readFileSync(join(ROOT, 'src/http/docs/scalar.js.gz'))
    expect(sha256Hex(file)).toBe(scalar.packed_sha256)
    expect(sha256Hex(Bun.gunzipSync(file))).toBe(scalar.bundle_sha256)
  })
})

/** `npm audit` and its like need a network that not everybody has: the list is kept here. */
const KNOWN_BAD: { name: string; versions: string; why: string }[] = [
  { name: 'elysia', versions: '<1.4.17', why: 'CVE-2025-66456: prototype pollution' },
  { name: 'elysia', versions: '<1.4.18', why: 'CVE-2025-66457: code injection by a cookie' },
  { name: 'elysia', versions: '<1.4.26', why: 'CVE-2026-30837: a URL that never ends checking' },
  { name: 'elysia', versions: '<1.4.27', why: 'CVE-2026-31865: a cookie named __proto__' },
  { name: 'drizzle-orm', versions: '<0.45.2', why: 'CVE-2026-39356: injection by identifiers' },
  { name: '@elysiajs/swagger', versions: '*', why: 'no fixes come any more' },
  {
    name: 's3rver',
    versions: '<=3.7.1',
    why: 'checks no signature: a test with it proves nothing',
  },
]

type Version = { name: string; version: string }

function isKnownBad({ name, version }: Version): boolean {
  return KNOWN_BAD.some(bad => bad.name === name && Bun.semver.satisfies(version, bad.versions))
}

/** Every package of the lockfile, those of packages too: `"x": ["x@1.2.3", ...`. */
function versionsIn(lock: string): Version[] {
  return [...lock.matchAll(/^ {4}"[^"]+": \["([^"]+)"/gm)].map(([, text = '']) =>
    splitVersion(text),
  )
}

function splitVersion(text: string): Version {
  const at = text.lastIndexOf('@')
  return { name: text.slice(0, at), version: text.slice(at + 1) }
}

function isExact(version: string): boolean {
  return /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)
}

/** Cells of the rows whose first cell is code. */
function tableOf(page: string): string[][] {
  return page
    .split('\n')
    .filter(line => line.startsWith('| `'))
    .map(line =>
      line
        .split('|')
        .slice(1, -1)
        .map(cell => cell.trim()),
    )
}

const word = (cell: string | undefined) => cell?.replaceAll('`', '') ?? ''

function sorted<T>(rows: T[]): T[] {
  return rows.toSorted((a, b) => (String(a) < String(b) ? -1 : 1))
}

function filesOf(...patterns: string[]): string[] {
  const scan = (pattern: string) => [...new Glob(pattern).scanSync({ cwd: ROOT, dot: true })]
  return patterns.flatMap(scan).sort()
}

function brokenLinks(from: string, page: string): string[] {
  const prose = page.replace(/```[\s\S]*?```/g, '')
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, link = '']) => {
    if (/^[a-z]+:/.test(link)) return []
    const [file = '', heading] = link.split('#')
    const path = file === '' ? from : join(dirname(from), file)
    const isThere = existsSync(join(ROOT, path))
    const isGood = isThere && (heading === undefined || headingsOf(read(path)).includes(heading))
    return isGood ? [] : [`${from} links to ${link}`]
  })
}

/** As GitHub makes them. */
function headingsOf(page: string): string[] {
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, text = '']) =>
    text
      .toLowerCase()
      .replace(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

/** The block of code that begins with this line. */
function codeIn(path: string, firstLine: string): string {
  const blocks = [...read(path).matchAll(/```\w+\n([\s\S]*?)```/g)].map(([, code = '']) => code)
  const found = blocks.find(code => code.startsWith(firstLine))
  if (!found) throw new Error(`${path} has no block that begins with ${firstLine}`)
  return found
}

type Receiver = {
  verify(secret: string, body: string, headers: Headers, nowSeconds?: number): unknown
}

async function moduleOf(code: string): Promise<Receiver> {
  const folder = mkdtempSync(join(tmpdir(), 'hub-docs-'))
  const path = join(folder, 'verify.mjs')
  writeFileSync(path, code)
  try {
    return (await import(path)) as Receiver
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** Properties of a Swift struct that the wire does not have, or has as null where the struct takes none. */
function undecodable(struct: string, fields: Record<string, z.ZodType>): string[] {
  return [...struct.matchAll(/^ *let (\w+): (.+)$/gm)].flatMap(([, property = '', type = '']) => {
    const name = property.replace(/[A-Z]/g, letter => `_${letter.toLowerCase()}`)
    const field = fields[name]
    if (!field) return [`${name} is not sent`]
    const mayLack = field.safeParse(null).success || field.safeParse(undefined).success
    return mayLack && !type.endsWith('?') ? [`${name} may be null`] : []
  })
}
