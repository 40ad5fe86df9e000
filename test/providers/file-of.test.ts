import { expect, test } from 'bun:test'
import { fileOf } from '@/providers/file-of'

const URL_OF_IT = 'https://files.vendor.example/a.png?sig=1'

test('of https the address, with the type that the vendor says', () => {
  expect(fileOf(URL_OF_IT)).toEqual([{ type: 'file', url: URL_OF_IT, contentType: null }])
  expect(fileOf(URL_OF_IT, 'image/png')).toMatchObject([{ contentType: 'image/png' }])
})

test.each([
  'data:image/png;base64,aGVsbG8=',
  'DATA:;BASE64,aGVsbG8',
  'data:x;y=1;base64,aGVs\nbG8=',
])('of %p the bytes, whose type they tell themselves', address => {
  expect(fileOf(address, 'image/png')).toEqual([
    { type: 'file', bytes: new Uint8Array(Buffer.from('hello')), contentType: null },
  ])
})

test.each([
  ...['http://a.example/1.png', 'file:///etc/passwd', 'ftp://a.example/1', 'nonsense', ''],
  ...['data:', 'data:,plain', 'data:image/png,raw', 'data:image/png;base64,'],
  ...['data:image/png;base64,%%%', 'data:image/png;base64'],
])('%p is none', address => {
  expect(fileOf(address)).toEqual([])
})
