import { describe, expect, test } from 'bun:test'
import { ConfigError, readConfig, VARIABLES } from '@/base/config'

type Name = keyof typeof VARIABLES

const HEX_KEY = '0f'.repeat(32)
const BASE64_KEY = Buffer.alloc(32, 7).toString('base64')

const NOTHING_SET = {
  port: 3000,
  host: '127.0.0.1',
  publicUrl: null,
  trustedProxies: [],
  dataDir: './data',
  secretKey: null,
  previousSecretKeys: [],
  logLevel: 'info',
  addressRateLimit: 60,
  allowPrivateDestinations: [],
  monthlyBudgetMicroUsd: null,
  operatorWebhook: null,
  providerKeys: {},
  notYetUsed: [],
}

type Cases = { good: [string, object][]; bad: string[] }

/** For each variable: what it takes and how it reads, and what it refuses. */
const CASES: Record<Name, Cases> = {
  PORT: {
    good: [
      ['8080', { port: 8080 }],
      ['0', { port: 0 }],
      ['65535', { port: 65535 }],
    ],
    bad: ['65536', '-1', '80.5', 'http', '3000;rm', 'NaN', 'Infinity'],
  },
  HOST: {
    good: [
      ['0.0.0.0', { host: '0.0.0.0' }],
      ['::1', { host: '::1' }],
    ],
    bad: [],
  },
  PUBLIC_URL: {
    good: [
      ['https://ai.example.com', { publicUrl: 'https://ai.example.com' }],
      ['https://ai.example.com/', { publicUrl: 'https://ai.example.com' }],
      ['http://10.0.0.5:8443', { publicUrl: 'http://10.0.0.5:8443' }],
      ['https://AI.Example.com', { publicUrl: 'https://ai.example.com' }],
    ],
    bad: [
      'ftp://ai.example.com',
      'https://ai.example.com/api',
      'https://ai.example.com/?a=1',
      'javascript:alert(1)',
      'hub.example.org',
      'http:///',
      'words',
      'file:///etc',
    ],
  },
  TRUSTED_PROXIES: {
    good: [
      ['127.0.0.1', { trustedProxies: ['127.0.0.1'] }],
      [' 10.0.0.0/8 , ::1 ,', { trustedProxies: ['10.0.0.0/8', '::1'] }],
    ],
    bad: ['proxy.example.com', '10.0.0.0/8;::1', '*', 'all', '10.0.0.0/99', ':::::'],
  },
  DATA_DIR: {
    good: [['/var/lib/hub', { dataDir: '/var/lib/hub' }]],
    bad: [],
  },
  SECRET_KEY: {
    good: [
      [HEX_KEY, { secretKey: new Uint8Array(32).fill(0x0f) }],
      [HEX_KEY.toUpperCase(), { secretKey: new Uint8Array(32).fill(0x0f) }],
      [BASE64_KEY, { secretKey: new Uint8Array(32).fill(7) }],
    ],
    bad: [
      'short',
      HEX_KEY.slice(2),
      `${HEX_KEY}00`,
      Buffer.alloc(31).toString('base64'),
      Buffer.alloc(33, 1).toString('base64'),
      'correct horse battery staple',
    ],
  },
  SECRET_KEY_PREVIOUS: {
    good: [
      [
        `${HEX_KEY}, ${BASE64_KEY}`,
        { previousSecretKeys: [new Uint8Array(32).fill(0x0f), new Uint8Array(32).fill(7)] },
      ],
    ],
    bad: ['short', `${HEX_KEY},short`, `${HEX_KEY} ${BASE64_KEY}`],
  },
  LOG_LEVEL: {
    good: [
      ['debug', { logLevel: 'debug' }],
      ['error', { logLevel: 'error' }],
    ],
    bad: ['verbose', 'INFO', '1'],
  },
  API_RATE_LIMIT_PER_MINUTE: {
    good: [
      ['1', { addressRateLimit: 1 }],
      ['600', { addressRateLimit: 600 }],
    ],
    bad: ['0', '-5', '1.5', 'none', '60/min'],
  },
  ALLOW_PRIVATE_DESTINATIONS: {
    good: [
      [
        'hooks.internal, 10.0.0.5:8080,192.168.0.0/16',
        { allowPrivateDestinations: ['hooks.internal', '10.0.0.5:8080', '192.168.0.0/16'] },
      ],
    ],
    bad: ['http://127.0.0.1:1', '10.0.0.0/64'],
  },
  MONTHLY_BUDGET_USD: {
    good: [
      ['250', { monthlyBudgetMicroUsd: 250_000_000 }],
      ['99.5', { monthlyBudgetMicroUsd: 99_500_000 }],
      ['0.000001', { monthlyBudgetMicroUsd: 1 }],
      ['999999999.999999', { monthlyBudgetMicroUsd: 999_999_999_999_999 }],
      ['0', { monthlyBudgetMicroUsd: 0 }],
    ],
    bad: [
      '-1',
      '1e3',
      '12,50',
      '$250',
      '0.0000001',
      '1000000000',
      'Infinity',
      '.5',
      '5.',
      '250 USD',
    ],
  },
  OPERATOR_WEBHOOK_URL: {
    // Alone it is refused: see below.
    good: [],
    bad: ['https://ops.example.com/hook', 'http://ops.example.com', 'ops', 'https://127.0.0.1/x'],
  },
  WEBHOOK_SECRET: {
    good: [
      [BASE64_KEY, {}],
      [`whsec_${BASE64_KEY}`, {}],
      [Buffer.alloc(24, 1).toString('base64'), {}],
    ],
    bad: [
      Buffer.alloc(23, 1).toString('base64'),
      'whsec_AAAA',
      'a pass phrase of more than 24 letters',
      `whsec_${'!'.repeat(40)}`,
    ],
  },
}

/** A key of a vendor goes into a header as it is. */
function keyCases(name: string): Cases {
  const taken = (key: string): [string, object] => [key, { providerKeys: { [name]: key } }]
  return {
    good: [
      taken('x'),
      taken('r8_Abc-123'),
      taken('11111111-2222-3333-4444-555555555555:0123456789abcdef'),
      taken('~!@#$%^&*()'),
      taken('k'.repeat(1_000)),
    ],
    bad: [
      'two words',
      ' before it',
      'behind it ',
      'line\nbreak',
      'line\r\nX-Injected: 1',
      'behind it\n',
      'a\ttab',
      'nul\u0000byte',
      'sch\u00f6n-key',
      'zero\u200bwidth',
      '\u201cquoted\u201d',
      'k'.repeat(1_001),
    ],
  }
}

/** As a vendor's row would name it. */
const KEYS: Record<string, string> = { SOME_KEY: 'a key of somebody' }

function refusal(environment: Record<string, string>): string {
  try {
    readConfig(environment, KEYS)
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError)
    return error instanceof Error ? error.message : ''
  }
  throw new Error(`accepted: ${JSON.stringify(environment)}`)
}

describe('the environment', () => {
  test('may be empty: everything has its default', () => {
    expect(readConfig({})).toEqual(NOTHING_SET as never)
  })

  test('may hold anything else: what is not ours is not looked at', () => {
    expect(readConfig({ PATH: '/bin', port: '1', HOSTNAME: 'x' })).toEqual(NOTHING_SET as never)
  })

  test('says by an empty variable that it is not set', () => {
    const empty = Object.fromEntries(Object.keys(VARIABLES).map(name => [name, '']))
    expect(readConfig({ ...empty, CDN_URL: '' })).toEqual(NOTHING_SET as never)
  })

  for (const [name, { good, bad }] of Object.entries({
    ...CASES,
    SOME_KEY: keyCases('SOME_KEY'),
  })) {
    for (const [text, expected] of good) {
      test(`${name}=${text.slice(0, 30)} is taken`, () => {
        expect(readConfig({ [name]: text }, KEYS)).toEqual({ ...NOTHING_SET, ...expected } as never)
      })
    }
    for (const text of bad) {
      test(`${name}=${text.slice(0, 30)} is refused in one line that names it and not its value`, () => {
        const line = refusal({ [name]: text })
        expect(line).toBe(`${name} must be ${{ ...VARIABLES, ...KEYS }[name]}`)
        expect(line).not.toContain('\n')
        // A short value such as `1` may be part of the sentence by chance.
        if (text.length > 4) expect(line).not.toContain(text)
      })
    }
  }

  test('with several wrong variables names each once, in one line', () => {
    const line = refusal({ PORT: 'x', LOG_LEVEL: 'y', SECRET_KEY: 'z' })
    expect(line.split('; ').map(part => part.split(' ')[0])).toEqual([
      'PORT',
      'SECRET_KEY',
      'LOG_LEVEL',
    ])
    expect(line).not.toContain('\n')
  })

  test('names what a coming version will read, and takes nothing from it', () => {
    const config = readConfig({ R2_SECRET_ACCESS_KEY: 'of-a-bucket', MAX_UPLOAD_BYTES: '50' })
    expect(config.notYetUsed).toEqual(['R2_SECRET_ACCESS_KEY', 'MAX_UPLOAD_BYTES'])
    expect(JSON.stringify(config)).not.toContain('of-a-bucket')
  })

  test('takes an address of the operator with a secret, and a private one only where it is allowed', () => {
    const url = 'https://ops.example.com/hook'
    expect(readConfig({ OPERATOR_WEBHOOK_URL: url, WEBHOOK_SECRET: BASE64_KEY })).toEqual({
      ...NOTHING_SET,
      operatorWebhook: { url, secret: BASE64_KEY },
    } as never)
    const inside = { OPERATOR_WEBHOOK_URL: 'http://127.0.0.1:9/hook', WEBHOOK_SECRET: BASE64_KEY }
    expect(() => readConfig(inside)).toThrow('OPERATOR_WEBHOOK_URL must be')
    const allowed = readConfig({ ...inside, ALLOW_PRIVATE_DESTINATIONS: '127.0.0.1:9' })
    expect(allowed.operatorWebhook?.url).toBe('http://127.0.0.1:9/hook')
  })
})
