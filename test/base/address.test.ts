import { describe, expect, test } from 'bun:test'
import {
  allowsAddress,
  allowsHost,
  isPublicAddress,
  parseAllowedDestinations,
} from '@/base/address'
import { checkDestination } from '@/base/destination'

/** First and last address of every range that must never be dialled. */
const NEVER: [string, string, string][] = [
  ['this network', '0.0.0.0', '0.255.255.255'],
  ['private 10/8', '10.0.0.0', '10.255.255.255'],
  ['carrier NAT', '100.64.0.0', '100.127.255.255'],
  ['loopback', '127.0.0.0', '127.255.255.255'],
  ['link-local', '169.254.0.0', '169.254.255.255'],
  ['private 172.16/12', '172.16.0.0', '172.31.255.255'],
  ['protocol assignments', '192.0.0.0', '192.0.0.255'],
  ['documentation 1', '192.0.2.0', '192.0.2.255'],
  ['6to4 relays', '192.88.99.0', '192.88.99.255'],
  ['private 192.168/16', '192.168.0.0', '192.168.255.255'],
  ['benchmarking', '198.18.0.0', '198.19.255.255'],
  ['documentation 2', '198.51.100.0', '198.51.100.255'],
  ['documentation 3', '203.0.113.0', '203.0.113.255'],
  ['multicast', '224.0.0.0', '239.255.255.255'],
  ['reserved', '240.0.0.0', '255.255.255.254'],
  ['broadcast', '255.255.255.255', '255.255.255.255'],
  ['unspecified', '::', '::'],
  ['loopback v6', '::1', '::1'],
  ['IPv4-compatible', '::7f00:1', '::ffff:ffff'],
  ['IPv4-mapped', '::ffff:0:0', '::ffff:ffff:ffff'],
  ['IPv4-translated', '::ffff:0:0:0', '::ffff:0:ffff:ffff'],
  ['NAT64', '64:ff9b::', '64:ff9b::ffff:ffff'],
  ['local NAT64', '64:ff9b:1::', '64:ff9b:1:ffff:ffff:ffff:ffff:ffff'],
  ['discard', '100::', '100::ffff:ffff:ffff:ffff'],
  ['Teredo', '2001::', '2001:0:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['benchmarking v6', '2001:2::', '2001:2:0:ffff:ffff:ffff:ffff:ffff'],
  ['ORCHID', '2001:10::', '2001:1f:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['ORCHID 2', '2001:20::', '2001:2f:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['documentation v6', '2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['6to4', '2002::', '2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['documentation v6, newer', '3fff::', '3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['not given out', '4000::', '5eff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['segment routing', '5f00::', '5f00:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['unique local', 'fc00::', 'fdff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['link-local v6', 'fe80::', 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['site-local', 'fec0::', 'feff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
  ['multicast v6', 'ff00::', 'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'],
]

/** Neighbours of those ranges, and addresses of well-known services. */
const PUBLIC = [
  '1.0.0.0',
  '1.1.1.1',
  '8.8.8.8',
  '9.255.255.255',
  '11.0.0.0',
  '93.184.216.34',
  '100.63.255.255',
  '100.128.0.0',
  '126.255.255.255',
  '128.0.0.0',
  '169.253.255.255',
  '169.255.0.0',
  '172.15.255.255',
  '172.32.0.0',
  '192.0.1.0',
  '192.0.3.0',
  '192.167.255.255',
  '192.169.0.0',
  '198.17.255.255',
  '198.20.0.0',
  '198.51.99.255',
  '198.51.101.0',
  '203.0.112.255',
  '203.0.114.0',
  '223.255.255.255',
  '2001:4860:4860::8888',
  '2600::',
  '2606:4700:4700::1111',
  '2a00:1450:4001:82f::200e',
]

/** Each carries an IPv4 address of a private network in another way. */
const EMBEDDED = [
  '::127.0.0.1',
  '::ffff:10.0.0.1',
  '::ffff:7f00:1',
  '::ffff:a9fe:a9fe',
  '64:ff9b::10.0.0.1',
  '64:ff9b::a9fe:a9fe',
  '64:ff9b:1::7f00:1',
  '2002:7f00:1::',
  '2002:a00:1::1',
  '2001:0:4136:e378:8000:63bf:80ff:fffe',
  '2606:4700::5efe:127.0.0.1',
  '2606:4700::200:5efe:10.0.0.1',
]

const NOT_ADDRESSES = [
  '',
  'example.com',
  '127.1',
  '2130706433',
  '0x7f.0.0.1',
  '0177.0.0.1',
  '8.8.8.08',
  '010.8.8.8',
  '8.8.8.8.8',
  '256.8.8.8',
  ' 8.8.8.8',
  '8.8.8.8 ',
  '8.8.8.8\n',
  '8.8.8.8/32',
  '[2606:4700::1]',
  '2606:4700::1%eth0',
  'fe80::1%1',
  '2606:4700:::1',
  '2606::4700::1',
  '１.1.1.1',
]

describe('isPublicAddress', () => {
  test.each(NEVER)('refuses %s, first and last', (_, first, last) => {
    expect([isPublicAddress(first), isPublicAddress(last)]).toEqual([false, false])
  })

  test.each(PUBLIC)('takes %s', address => {
    expect(isPublicAddress(address)).toBe(true)
  })

  test.each(EMBEDDED)('refuses %s, which embeds a private address', address => {
    expect(isPublicAddress(address)).toBe(false)
  })

  test.each(NOT_ADDRESSES)('does not take %j for an address', text => {
    expect(isPublicAddress(text)).toBe(false)
  })
})

describe('what the operator lists', () => {
  const allowed = parseAllowedDestinations([
    'Minio.LAN',
    'hooks.test:8080',
    '127.0.0.1:9000',
    '::1',
    '[fd00::5]:81',
    '10.0.0.0/8',
    'fd12::/16',
  ])

  test.each<[string, number, boolean]>([
    ['minio.lan', 80, true],
    ['minio.lan', 9000, true],
    ['x.minio.lan', 80, false],
    ['hooks.test', 8080, true],
    ['hooks.test', 80, false],
    ['127.0.0.1', 9000, true],
    ['127.0.0.1', 9001, false],
    ['[::1]', 1234, true],
    ['[fd00::5]', 81, true],
    ['[fd00::5]', 82, false],
    ['10.9.8.7', 5, true],
    ['11.9.8.7', 5, false],
    ['[fd12:3::4]', 5, true],
    ['[::ffff:a09:807]', 5, false],
    ['localhost', 80, false],
  ])('%s port %d: %p', (hostname, port, expected) => {
    expect(allowsHost(allowed, hostname, port)).toBe(expected)
  })

  test('covers resolved addresses by network only, not by host entries', () => {
    const answers = ['10.0.0.1', '127.0.0.1', 'fd12::1', '::ffff:10.0.0.1', 'nonsense']
    expect(answers.map(address => allowsAddress(allowed, address))).toEqual([
      true,
      false,
      true,
      false,
      false,
    ])
  })

  test.each([
    '',
    ' ',
    '*',
    '*.lan',
    'a b',
    'a:0',
    'a:65536',
    'a:b',
    'a:80:90',
    'http://a',
    'a/b',
    '10.0.0.0/33',
    '10.0.0.0/',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    'fd00::/129',
    '10/8',
    '010.0.0.0/8',
    'u@a',
    '[::1',
    'fe80::1%eth0',
  ])('stops at the entry %j', entry => {
    expect(() => parseAllowedDestinations([entry])).toThrow(/is not a (host|network)/)
  })
})

describe('checkDestination', () => {
  test.each([
    'https://example.com',
    'https://example.com/',
    'HTTPS://EXAMPLE.COM/Hook',
    'https://api.example.com/v1/x?y=z&u=a@b#f',
    'https://example.com:443/hook',
    'https://bücher.example/',
    'https://xn--bcher-kva.example/',
    'https://a_b.example.com/',
    'https://example.local.com/',
    'https://localhost.example.com/',
    'https://93.184.216.34/hook',
    'https://[2606:4700:4700::1111]/hook',
    `https://example.com/${'a'.repeat(4_000)}`,
  ])('takes %s', url => {
    expect(checkDestination(url, [])).toBeNull()
  })

  test('takes what the operator listed over plain http, on that port only', () => {
    const listed = ['hooks.test:8080', '10.0.0.0/8', 'minio']
    expect(checkDestination('http://hooks.test:8080/x', listed)).toBeNull()
    expect(checkDestination('http://10.1.2.3:99/x', listed)).toBeNull()
    expect(checkDestination('http://minio/x', listed)).toBeNull()
    expect(checkDestination('http://hooks.test/x', listed)).toBe(
      'The URL must begin with https://.',
    )
    expect(checkDestination('https://hooks.test:8081/', listed)).toBe(
      'The URL must not name a port other than 443.',
    )
    expect(checkDestination('http://user@minio/x', listed)).toBe(
      'The URL must not contain a user name or a password.',
    )
    expect(checkDestination('http://minio./x', listed)).toBe('The URL must begin with https://.')
    expect(checkDestination('http://minio./x', ['minio.'])).toBe(
      'The host must not end with a dot.',
    )
  })

  test.each<[string, string]>([
    ['http://example.com/', 'The URL must begin with https://.'],
    ['file:///etc/passwd', 'The URL must begin with https://.'],
    ['https:///example.com/', 'The URL names no host.'],
    ['https://', 'The URL names no host.'],
    ['https://u:p@example.com/', 'The URL must not contain a user name or a password.'],
    ['https://@example.com/', 'The URL must not contain a user name or a password.'],
    ['https://example.com:8443/', 'The URL must not name a port other than 443.'],
    ['https://example.com:80/', 'The URL must not name a port other than 443.'],
    ['https://example.com:99999/', 'The URL cannot be read.'],
    ['https://10.0.0.1/', 'The URL must not name a private address.'],
    ['https://[fd00::1]/', 'The URL must not name a private address.'],
    ['https://example.com./', 'The host must not end with a dot.'],
    ['https://intranet/', 'The host must be a full name with a dot.'],
    ['https://printer.local/', 'The host must be a public name.'],
    ['https://metadata.google.internal/', 'The host must be a public name.'],
    ['https://a.localhost/', 'The host must be a public name.'],
    ['https://a..example.com/', 'The host is not a valid name.'],
    ['https://exa*mple.com/', 'The host is not a valid name.'],
    [`https://${'a'.repeat(64)}.com/`, 'The host is not a valid name.'],
    [`https://${'a.'.repeat(127)}com/`, 'The host is not a valid name.'],
    ['https://example.com/a b', 'The URL must not contain blanks or control characters.'],
    ['https://example.com/\r\nX: y', 'The URL must not contain blanks or control characters.'],
    ['https://exa\u00admple.com/', 'The URL must not contain blanks or control characters.'],
    ['https:\\\\example.com/', 'The URL must not contain a backslash.'],
    [`https://example.com/${'a'.repeat(4_096)}`, 'The URL is longer than 4096 characters.'],
  ])('says what is wrong with %j', (url, sentence) => {
    expect(checkDestination(url, [])).toBe(sentence)
  })
})
