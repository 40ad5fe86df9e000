import { createHash } from 'node:crypto'
import { deflateSync } from 'node:zlib'
import { chunk } from '@test/support/fake-provider'
import type { SafeFetch } from '@/base/safe-fetch'
import { clip } from '@/providers/sandbox/clip'
import { portOf } from './bench'

const SIDE = 126
/** About as many as the picture's file has: noise does not get smaller. */
export const FILE_BYTES = SIDE * SIDE * 3

/** A whole PNG of noise, large enough to take its time on a slow line. */
export const PICTURE = pictureOfNoise()

/** A whole film, and noise behind it in a box that players skip. */
export const FILM = new Uint8Array(Buffer.concat([clip(), boxOfNoise(FILE_BYTES)]))

/** What stands in for all hosts of files: pictures and films, by the ending of the path. */
export function startFileHost(): { port: number; close(): Promise<void> } {
  const server = Bun.serve({
    hostname: '127.0.0.1',
    port: 0,
    fetch: request => new Response(request.url.includes('.mp4') ? FILM : PICTURE),
  })
  return { port: portOf(`${server.url}`), close: () => server.stop(true) }
}

/**
 * The true network code, for which the vendors' hosts of files are where `hosts` says: their names are https
 * and belong to others, so nothing here may ask for them.
 */
export function withFileHosts(fetch: SafeFetch, hosts: ReadonlyMap<string, string>): SafeFetch {
  return (url, init) => {
    const { host, pathname } = new URL(url)
    const origin = hosts.get(host)
    return fetch(origin === undefined ? url : `${origin}${pathname}`, init)
  }
}

function boxOfNoise(length: number): Buffer {
  const head = Buffer.alloc(8)
  head.writeUInt32BE(head.length + length, 0)
  head.write('free', 4)
  return Buffer.concat([head, noise(length)])
}

function pictureOfNoise(): Uint8Array<ArrayBuffer> {
  const header = Buffer.alloc(13)
  header.writeUInt32BE(SIDE, 0)
  header.writeUInt32BE(SIDE, 4)
  header.set([8, 2, 0, 0, 0], 8)
  const row = SIDE * 3
  const pixels = noise(FILE_BYTES)
  const rows = Array.from({ length: SIDE }, (_, y) =>
    Buffer.concat([Buffer.alloc(1), pixels.subarray(y * row, (y + 1) * row)]),
  )
  const made = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(Buffer.concat(rows))),
    chunk('IEND', Buffer.alloc(0)),
  ])
  return new Uint8Array(made)
}

/** The same in every run. */
function noise(length: number): Buffer {
  const pieces: Buffer[] = []
  for (let at = 0; at < length; at += 64) {
    pieces.push(createHash('sha512').update(`${at}`).digest())
  }
  return Buffer.concat(pieces).subarray(0, length)
}
