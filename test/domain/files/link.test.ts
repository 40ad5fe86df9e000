import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import {
  closeStages,
  imageOfDisk,
  rebootFrom,
  run,
  type Stage,
  stage,
  submit,
  viewOf,
} from '@test/domain/jobs/stage'
import { fakeClock } from '@test/support/fake-clock'
import { bytes, done, picture } from '@test/support/fake-provider'
import { testHub } from '@test/support/test-hub'
import { DAY, HOUR, MINUTE, SECOND } from '@/base/clock'
import { AppError } from '@/base/errors'
import { type FileId, formatId } from '@/base/ids'
import { linkTo, openLink } from '@/domain/files'

let on: Stage
let id: FileId

beforeEach(async () => {
  on = await stage({ webhookUrl: null })
  on.provider.script(done(bytes(picture(7))))
  const job = await submit(on)
  await run(on)
  const fileId = viewOf(on, job).outputs[0]?.fileId
  if (!fileId) throw new Error('a file was made')
  id = fileId
})
afterEach(closeStages)

const BASE = 'https://hub.example.com'
const link = (leastMs = 48 * HOUR, deps = on.deps) =>
  linkTo(deps, BASE, { id, contentType: 'image/png' }, leastMs)

type Parts = { name: string; expiry: string; signature: string }

function partsOf(url: string): Parts {
  const { pathname, searchParams } = new URL(url)
  return {
    name: pathname.replace('/files/', ''),
    expiry: searchParams.get('exp') ?? '',
    signature: searchParams.get('sig') ?? '',
  }
}

function expectRefused(parts: Parts, deps = on.deps) {
  let error: unknown = null
  try {
    openLink(deps, parts)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toBeInstanceOf(AppError)
  expect((error as AppError).code).toBe('not_found')
}

async function expectOpens(parts: Parts, deps = on.deps) {
  const blob = await openLink(deps, parts).read()
  expect(new Uint8Array(await blob.arrayBuffer())).toEqual(picture(7))
}

describe('a link', () => {
  test('opens the file, with what it is, without a key', async () => {
    const { url } = link()
    expect(url).toMatch(
      /^https:\/\/hub\.example\.com\/files\/fil_[0-9a-z]{11}\.png\?exp=\d{10}&sig=[\w-]{22}$/,
    )
    expect(openLink(on.deps, partsOf(url))).toMatchObject({ contentType: 'image/png', id })
    await expectOpens(partsOf(url))
  })

  test('gives ranges, both ends included', async () => {
    const file = openLink(on.deps, partsOf(link().url))
    const blob = await file.read({ start: 1, end: 3 })
    expect(await blob.text()).toBe('PNG')
  })

  test('lives at least as long as asked, to the end of that UTC day, and not a second longer', () => {
    const { url, expiresAt } = link(48 * HOUR)
    expect(expiresAt % DAY).toBe(0)
    expect(expiresAt - on.clock.wall()).toBeGreaterThanOrEqual(48 * HOUR)
    expect(expiresAt - on.clock.wall()).toBeLessThan(48 * HOUR + DAY)
    on.clock.setWall(expiresAt - SECOND)
    expect(openLink(on.deps, partsOf(url)).id).toBe(id)
    on.clock.setWall(expiresAt)
    expectRefused(partsOf(url))
  })

  test('is the same all through a UTC day, and another one the next', () => {
    const midnight = Math.ceil(on.clock.wall() / DAY) * DAY
    on.clock.setWall(midnight + SECOND)
    const { url } = link()
    for (const later of [MINUTE, HOUR, 12 * HOUR, DAY - SECOND]) {
      on.clock.setWall(midnight + later)
      expect(link().url).toBe(url)
    }
    on.clock.setWall(midnight + DAY + SECOND)
    expect(link().url).not.toBe(url)
  })

  test('still opens after a restart', async () => {
    const { url } = link()
    const next = await rebootFrom(imageOfDisk(on), on)
    expect(link(48 * HOUR, next.deps).url).toBe(url)
    await expectOpens(partsOf(url), next.deps)
  })
})

describe('a link is refused', () => {
  const FORGERIES: [string, (parts: Parts) => Parts][] = [
    ['with a later end', parts => ({ ...parts, expiry: String(Number(parts.expiry) + 86_400) })],
    ['with an earlier end', parts => ({ ...parts, expiry: String(Number(parts.expiry) - 86_400) })],
    ['with an end that is no number', parts => ({ ...parts, expiry: `${parts.expiry}.0` })],
    ['with a signed end', parts => ({ ...parts, expiry: `+${parts.expiry}` })],
    ['without an end', parts => ({ ...parts, expiry: '' })],
    ['without a signature', parts => ({ ...parts, signature: '' })],
    ['with half a signature', parts => ({ ...parts, signature: parts.signature.slice(0, 11) })],
    ['with a longer one', parts => ({ ...parts, signature: `${parts.signature}AAAA` })],
    ['for another file', parts => ({ ...parts, name: formatId('file', id + 1) })],
    [
      'for another kind of thing',
      parts => ({ ...parts, name: parts.name.replace('fil_', 'job_') }),
    ],
    ['for a path', parts => ({ ...parts, name: `../${parts.name}` })],
    ['with a name in capitals', parts => ({ ...parts, name: parts.name.toUpperCase() })],
  ]
  test.each(FORGERIES)('%s', (_, forge) => {
    expectRefused(forge(partsOf(link().url)))
  })

  test('whichever byte of its signature is changed', () => {
    const parts = partsOf(link().url)
    const good = Buffer.from(parts.signature, 'base64url')
    for (let index = 0; index < good.length; index++) {
      const bad = Buffer.from(good)
      bad[index] = (bad[index] ?? 0) ^ 1
      expectRefused({ ...parts, signature: bad.toString('base64url') })
    }
  })

  test('that another hub signed', async () => {
    const config = { secretKey: new Uint8Array(32).fill(7) }
    const foreign = await testHub({ clock: fakeClock(), isRunning: false, config })
    const { url } = link(48 * HOUR, foreign.deps)
    expectRefused(partsOf(url))
    await foreign.close()
  })

  test('for a file that was deleted, and for one that is being deleted', async () => {
    const parts = partsOf(link().url)
    on.deps.db.sqlite.run('UPDATE files SET is_doomed = 1')
    expectRefused(parts)
    on.deps.db.sqlite.run('DELETE FROM files')
    expectRefused(parts)
  })

  test('with the same answer when the blob is gone', async () => {
    const file = openLink(on.deps, partsOf(link().url))
    await on.deps.storage.delete(formatId('file', id))
    const error: unknown = await file.read().catch(thrown => thrown)
    expect((error as AppError).code).toBe('not_found')
  })
})

describe('when the root key is replaced', () => {
  const NEW_KEY = new Uint8Array(32).fill(9)

  test('what the previous key signed still opens, and new links are signed by the new one', async () => {
    const { url } = link()
    const image = imageOfDisk(on)
    const oldKey = Buffer.from(await Bun.file(`${image}/secret.key`).text(), 'base64')
    const config = { secretKey: NEW_KEY, previousSecretKeys: [new Uint8Array(oldKey)] }
    const rotated = await testHub({ folder: image, clock: on.clock, config, isRunning: false })
    await expectOpens(partsOf(url), rotated.deps)
    const fresh = link(48 * HOUR, rotated.deps).url
    expect(fresh).not.toBe(url)
    await expectOpens(partsOf(fresh), rotated.deps)
    expectRefused(partsOf(fresh))
    await rotated.close()

    const withoutOld = { secretKey: NEW_KEY, previousSecretKeys: [] }
    const later = await testHub({
      folder: image,
      clock: on.clock,
      config: withoutOld,
      isRunning: false,
    })
    expectRefused(partsOf(url), later.deps)
    await expectOpens(partsOf(fresh), later.deps)
    await later.close()
  })
})
