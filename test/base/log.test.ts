import { describe, expect, test } from 'bun:test'
import { AppError } from '@/base/errors'
import { createLog, type Log, type LogLevel } from '@/base/log'

const KEY = `pm_live_${'aB3'.repeat(14)}x${'Z9y8X7'}`
const PUBLISHABLE = `photomagic_test_pk_${'aB3'.repeat(14)}x${'Z9y8X7'}`
const WEBHOOK_SECRET = `whsec_${'QUJD'.repeat(10)}AA==`
const WALL = Date.UTC(2026, 0, 15, 10, 30, 0, 123)

type Book = { log: Log; writes: string[]; lines(): Record<string, unknown>[] }

function aLog(level: LogLevel = 'debug'): Book {
  const writes: string[] = []
  const log = createLog({ level, write: text => void writes.push(text), wall: () => WALL })
  const lines = () => {
    log.flush()
    return writes
      .join('')
      .split('\n')
      .filter(line => line !== '')
      .map(line => JSON.parse(line) as Record<string, unknown>)
  }
  return { log, writes, lines }
}

/** The one line that these fields make. */
function lineOf(fields: Record<string, unknown>, message = 'said'): Record<string, unknown> {
  const { log, lines } = aLog()
  log.info(message, fields)
  const [line = {}] = lines()
  return line
}

describe('a line', () => {
  test('is one JSON object with time, level, message and fields', () => {
    const { log, lines } = aLog()
    log.warn('a task failed', { task: 7, nested: { deep: [1, 'two'] } })
    expect(lines()).toEqual([
      {
        at: '2026-01-15T10:30:00.123Z',
        level: 'warn',
        message: 'a task failed',
        task: 7,
        nested: { deep: [1, 'two'] },
      },
    ])
  })

  test('stays one line whatever is in it', () => {
    const { log, writes } = aLog()
    log.info('two\nlines', { text: 'a\r\nb\u2028c' })
    log.flush()
    expect(writes.join('').trimEnd().split('\n')).toHaveLength(1)
  })

  test('below the level is not made', () => {
    for (const [level, expected] of [
      ['debug', 4],
      ['info', 3],
      ['warn', 2],
      ['error', 1],
    ] as const) {
      const { log, lines } = aLog(level)
      log.debug('d')
      log.info('i')
      log.warn('w')
      log.error('e')
      expect(lines()).toHaveLength(expected)
    }
  })

  test('of a log with fields carries them, and its own win', () => {
    const { log, lines } = aLog()
    const request = log.with({ request_id: 'r1', a: 1 })
    request.info('one', { a: 2 })
    request.with({ b: 3 }).info('two')
    log.info('three')
    expect(lines().map(({ at: _, level: __, ...line }) => line)).toEqual([
      { message: 'one', request_id: 'r1', a: 2 },
      { message: 'two', request_id: 'r1', a: 1, b: 3 },
      { message: 'three' },
    ])
  })

  test('of an error tells its name, code, internal word, stack and causes', () => {
    const cause = new Error('the disk is full')
    const error = new AppError('busy', { internal: 'no room', cause, detail: { retry_after: 1 } })
    expect(lineOf({ error })).toMatchObject({
      error: {
        name: 'AppError',
        code: 'busy',
        internal: 'no room',
        stack: expect.stringContaining('log.test.ts'),
        cause: { name: 'Error', message: 'the disk is full' },
      },
    })
  })

  test('is made even of what JSON cannot hold: logging never throws', () => {
    const circle: Record<string, unknown> = { name: 'circle' }
    circle.self = circle
    for (const fields of [{ circle }, { big: 2n ** 70n }, { deep: { big: 1n } }]) {
      const { log, lines } = aLog()
      expect(() => log.error('still said', fields)).not.toThrow()
      expect(lines()[0]).toMatchObject({ level: 'error', message: 'still said' })
    }
  })
})

describe('secrets', () => {
  test('are masked by the name of their field, whatever they look like', () => {
    const names = [
      'authorization',
      'Authorization',
      'x-api-key',
      'apiKey',
      'api_key',
      'cookie',
      'set-cookie',
      'password',
      'newPassword',
      'secret',
      'webhook_secret',
      'SECRET_KEY',
      'token',
      'user_token',
      'accessToken',
      'x-user-token',
      'webhook_secret_sealed',
    ]
    const line = lineOf(Object.fromEntries(names.map(name => [name, 'plain words'])))
    for (const name of names) expect([name, line[name]]).toEqual([name, '[redacted]'])
    expect(lineOf({ password: 1234, token: 2n ** 60n })).toMatchObject({
      password: '[redacted]',
      token: '[redacted]',
    })
  })

  test('are masked in lists and objects of such a name, and at any depth', () => {
    const line = lineOf({
      request: { headers: { authorization: ['Bearer abc'], cookie: { session: 'abc' } } },
      password: new TextEncoder().encode('abc'),
    })
    expect(JSON.stringify(line)).not.toContain('abc')
    expect(line).toMatchObject({
      request: { headers: { authorization: '[redacted]', cookie: '[redacted]' } },
      password: '[redacted]',
    })
  })

  test('are masked by their shape wherever they turn up', () => {
    for (const secret of [KEY, PUBLISHABLE, WEBHOOK_SECRET]) {
      const error = new Error(`refused ${secret}`, { cause: new Error(`deep ${secret}`) })
      const line = lineOf(
        {
          url: `https://x.example/?key=${secret}&a=1`,
          list: ['fine', `"${secret}"`],
          glued: `HUB_KEY_${secret}`,
          error,
        },
        `someone sent ${secret}.`,
      )
      const text = JSON.stringify(line)
      expect(text).not.toContain(secret)
      expect(text).not.toContain(secret.slice(10, 40))
      expect(line.message).toBe('someone sent [redacted].')
      expect(line.url).toBe('https://x.example/?key=[redacted]&a=1')
    }
  })

  test('of vendors are masked by their shape, and by the names of their variables', () => {
    const hex = '0123456789abcdef'
    for (const key of [
      `r8_${'aB3'.repeat(12)}x`,
      `sk-proj-${'aB3_-'.repeat(10)}`,
      `sk-or-v1-${hex.repeat(4)}`,
      `dk-${'aB3'.repeat(10)}`,
      `AIza${'Sy_-aB3'.repeat(5)}`,
      `key_${hex.repeat(8)}`,
      `luma-11111111-2222-3333-4444-555555555555-${hex}`,
      `11111111-2222-3333-4444-555555555555:${hex.repeat(2)}`,
    ]) {
      const error = new Error(`401: bad key ${key}`, { cause: new Error(`sent "${key}"`) })
      const line = lineOf({ url: `https://x.example/?key=${key}&a=1`, error }, `sent ${key}.`)
      const text = JSON.stringify(line)
      expect(text).not.toContain(key.slice(8))
      expect(text).not.toContain(key.slice(0, -8))
      expect(line).toMatchObject({
        message: 'sent [redacted].',
        url: 'https://x.example/?key=[redacted]&a=1',
      })
    }
    const names = ['REPLICATE_API_TOKEN', 'FAL_KEY', 'OPENAI_API_KEY', 'RUNWAYML_API_SECRET']
    for (const name of [...names, 'falKey', 'provider_key', 'x-goog-api-key']) {
      expect(lineOf({ [name]: 'plain words' })[name]).toBe('[redacted]')
    }
    expect(lineOf({ config: { providerKeys: { ANY: 'plain words' } } }).config).toEqual({
      providerKeys: '[redacted]',
    })
  })

  test('that were mistyped are masked too: one character more, or cut anywhere in the second half', () => {
    for (const near of [`${KEY}x`, KEY.slice(0, -1), KEY.slice(0, -6), KEY.slice(0, -20)]) {
      const text = JSON.stringify(lineOf({ sent: `it was ${near}` }))
      expect(text).not.toContain(KEY.slice(10, 25))
    }
  })

  test('do not hide what is none: ids, counts and the words around', () => {
    const line = lineOf({
      tokens: 5,
      token_balance: 7,
      tokens_charged: 3,
      key_display: 'pm_live_abcd',
      job: 'job_06fk2m3n4p5',
      text: 'the app was live_and well, whsec_ is a prefix',
      more: 'task-or-desk-with-many-words, key_06fk2m3n4p5, luma-photon-flash-1, sk-1',
      request: '11111111-2222-3333-4444-555555555555',
    })
    expect(line).toMatchObject({
      tokens: 5,
      token_balance: 7,
      tokens_charged: 3,
      key_display: 'pm_live_abcd',
      job: 'job_06fk2m3n4p5',
      text: 'the app was live_and well, whsec_ is a prefix',
      more: 'task-or-desk-with-many-words, key_06fk2m3n4p5, luma-photon-flash-1, sk-1',
      request: '11111111-2222-3333-4444-555555555555',
    })
  })
})

describe('writing', () => {
  test('is buffered: many lines, one write, at the latest when somebody flushes', () => {
    const { log, writes } = aLog()
    for (let i = 0; i < 100; i++) log.info('line', { i })
    expect(writes).toEqual([])
    log.flush()
    expect(writes).toHaveLength(1)
    expect(writes[0]?.split('\n')).toHaveLength(101)
    log.flush()
    expect(writes).toHaveLength(1)
  })

  test('happens by itself a moment later', async () => {
    const written = Promise.withResolvers<string>()
    const log = createLog({ level: 'info', write: written.resolve, wall: () => WALL })
    log.info('soon')
    expect(await written.promise).toContain('soon')
  })

  test('of an error happens at once, with everything that waited before it, in order', () => {
    const { log, writes } = aLog()
    log.info('first')
    log.error('second')
    expect(writes).toHaveLength(1)
    expect(writes[0]).toMatch(/first.*\n.*second/)
  })

  test('happens when much has gathered', () => {
    const { log, writes } = aLog()
    for (let i = 0; i < 100; i++) log.info('x'.repeat(1_000))
    expect(writes.length).toBeGreaterThanOrEqual(1)
    expect(writes[0]?.length ?? 0).toBeLessThan(80 * 1_024)
  })
})
