import { connect, createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'

/** A TCP peer on loopback that answers each complete request with whatever its script writes, or breaks. */
export type Peer = {
  port: number
  /** Sockets that were opened to it. For TLS, only those whose handshake succeeded. */
  readonly connections: number
  /** Every complete request as it arrived, head and body. */
  requests: string[]
  /** Resolves when a socket that was open has closed. */
  closed: Promise<void>
  close(): Promise<void>
}

export type Script = (socket: Socket, request: number) => void

/** `request` counts from 1 over all connections. */
export async function startPeer(script: Script, tls?: typeof SELF_SIGNED): Promise<Peer> {
  const requests: string[] = []
  const sockets = new Set<Socket>()
  const closed = Promise.withResolvers<void>()
  let connections = 0
  const accept = (socket: Socket) => {
    connections += 1
    sockets.add(socket)
    let pending = ''
    socket.on('error', () => {})
    socket.on('close', () => {
      sockets.delete(socket)
      closed.resolve()
    })
    socket.on('data', piece => {
      pending += piece.toString('latin1')
      const length = completeLength(pending)
      if (length === null) return
      requests.push(pending.slice(0, length))
      pending = pending.slice(length)
      script(socket, requests.length)
    })
  }
  const server: Server = tls ? createTlsServer(tls, accept) : createServer(accept)
  server.on('tlsClientError', () => {})
  await new Promise<void>(resolve => server.listen(0, '127.0.0.1', resolve))
  const bound = server.address()
  return {
    port: bound !== null && typeof bound === 'object' ? bound.port : 0,
    get connections() {
      return connections
    },
    requests,
    closed: closed.promise,
    close() {
      for (const socket of sockets) socket.destroy()
      return new Promise<void>(resolve => server.close(() => resolve()))
    },
  }
}

/** A whole answer that keeps the connection open. */
export function answer(body: string | Uint8Array, headers: string[] = [], status = '200 OK') {
  const bytes = Buffer.from(body)
  const lines = [`HTTP/1.1 ${status}`, `content-length: ${bytes.byteLength}`, ...headers]
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`), bytes])
}

/**
 * What a line does with one answer.
 *
 * - `silent`   the request gets through and the answer never comes: the peer may well be at work
 * - `cut`      the head and this part of the body (0 to 1) arrive, then the connection is reset
 * - `garbled`  the body arrives in its full length and cannot be read
 */
export type Trouble = { does: 'silent' } | { does: 'cut'; part: number } | { does: 'garbled' }

/** A way to a server of this machine which can be slow and break. */
export type Line = {
  /** Where the server is found through it. */
  origin: string
  close(): Promise<void>
}

export type LineOptions = {
  /** The port of the server at its end. */
  to: number
  /** Either way; without it as fast as the machine is. */
  bytesPerSecond?: number
  /** Asked once for each request, in the order in which they arrive. */
  troubleWith?: (method: string, path: string) => Trouble | null
}

/**
 * Passes each request on by a connection of its own, and its answer back. The server's own address in an
 * answer becomes the line's, so that a client which follows it stays on the line.
 */
export async function startLine(options: LineOptions): Promise<Line> {
  let port = 0
  const behind = new Set<Socket>()
  const peer = await startPeer((socket, nth) => {
    const request = Buffer.from(peer.requests[nth - 1] ?? '', 'latin1')
    void passOn(socket, request).catch(() => socket.destroy())
  })
  port = peer.port

  async function passOn(socket: Socket, request: Buffer): Promise<void> {
    const [method = '', path = ''] = request.toString('latin1').split(' ')
    const trouble = options.troubleWith?.(method, path) ?? null
    await Bun.sleep(transferMs(request.length))
    const whole = rehosted(await exchange(closing(request), options.to, behind), options.to, port)
    if (trouble?.does === 'silent') return
    const bodyAt = whole.indexOf('\r\n\r\n') + 4
    if (trouble?.does === 'garbled') whole.fill('<', bodyAt)
    if (trouble?.does !== 'cut') return await trickle(socket, whole)
    const length = Math.floor((whole.length - bodyAt) * trouble.part)
    await trickle(socket, whole.subarray(0, bodyAt + length))
    // What is still under way when a connection is reset may be lost with it.
    setTimeout(() => socket.resetAndDestroy(), BEFORE_RESET_MS)
  }

  async function trickle(socket: Socket, bytes: Buffer): Promise<void> {
    const step = Math.ceil(((options.bytesPerSecond ?? Infinity) * TICK_MS) / 1_000)
    for (let at = 0; at < bytes.length; at += step) {
      socket.write(bytes.subarray(at, at + Math.min(step, bytes.length)))
      await Bun.sleep(transferMs(Math.min(step, bytes.length - at)))
    }
  }

  function transferMs(bytes: number): number {
    return options.bytesPerSecond === undefined ? 0 : (bytes / options.bytesPerSecond) * 1_000
  }

  return {
    origin: `http://127.0.0.1:${port}`,
    async close() {
      for (const socket of behind) socket.destroy()
      await peer.close()
    },
  }
}

const TICK_MS = 50
const BEFORE_RESET_MS = 20

/** One request and its whole answer, which ends with the connection. */
function exchange(request: Buffer, to: number, behind: Set<Socket>): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = []
    const socket = connect(to, '127.0.0.1', () => socket.write(request))
    behind.add(socket)
    socket.on('data', piece => pieces.push(Buffer.from(piece)))
    socket.on('error', reject)
    socket.on('close', () => {
      behind.delete(socket)
      resolve(Buffer.concat(pieces))
    })
  })
}

/** The same request, after whose answer the server hangs up. */
function closing(request: Buffer): Buffer {
  const end = request.indexOf('\r\n\r\n')
  const head = request
    .subarray(0, end)
    .toString('latin1')
    .replace(/\r\nconnection: [^\r]*/i, '')
  return Buffer.concat([
    Buffer.from(`${head}\r\nconnection: close`, 'latin1'),
    request.subarray(end),
  ])
}

/** Free ports have five digits, so no length in the answer changes. */
function rehosted(answer: Buffer, from: number, to: number): Buffer {
  const text = answer.toString('latin1')
  return Buffer.from(text.replaceAll(`127.0.0.1:${from}`, `127.0.0.1:${to}`), 'latin1')
}

/** A port of loopback on which nobody listens. */
export async function closedPort(): Promise<number> {
  const peer = await startPeer(() => {})
  await peer.close()
  return peer.port
}

/** Null until a whole request has arrived. */
function completeLength(text: string): number | null {
  const end = text.indexOf('\r\n\r\n')
  if (end < 0) return null
  const length = /^content-length: (\d+)/im.exec(text.slice(0, end))?.[1] ?? '0'
  const total = end + 4 + Number(length)
  return text.length < total ? null : total
}

/**
 * For tests only, trusted by nobody: pinned.test, second.test and 127.0.0.1, until 2126. Made once, so that
 * the tests need no tool beside Bun.
 */
export const SELF_SIGNED = {
  cert: `-----BEGIN CERTIFICATE-----
MIIBrTCCAVSgAwIBAgIUY7Qa0bI6M8C+q+qPAoNtT6lqlC4wCgYIKoZIzj0EAwIw
FjEUMBIGA1UEAwwLcGlubmVkLnRlc3QwIBcNMjYxMTIxMTQzNzU2WhgPMjEyNjEw
MjgxNDM3NTZaMBYxFDASBgNVBAMMC3Bpbm5lZC50ZXN0MFkwEwYHKoZIzj0CAQYI
KoZIzj0DAQcDQgAEH6sDz9f1P5bSY4P/TqmUSLH7pPo2flj/huMPRwrCuwEL8zMl
l6mXvjRLxDqD0uLn3xt1ECceq4yL54RwehHVxKN+MHwwHQYDVR0OBBYEFC6ehZNE
OUzLQ6QZ68smPEl7dOcGMB8GA1UdIwQYMBaAFC6ehZNEOUzLQ6QZ68smPEl7dOcG
MA8GA1UdEwEB/wQFMAMBAf8wKQYDVR0RBCIwIIILcGlubmVkLnRlc3SCC3NlY29u
ZC50ZXN0hwR/AAABMAoGCCqGSM49BAMCA0cAMEQCICjvUUAUTiXB5fpFDxS6KJtJ
L9eBxTwTf7jPOdhPx58rAiBJCD8nJ83HzIQoGOrSavRpLJ01lqJukK9bgmvcrBFr
wQ==
-----END CERTIFICATE-----
`,
  key: `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgLu7btyqTJ4rSn1Xf
LP7W8qpmYi8fFP1o8d0hK8DnJX6hRANCAAQfqwPP1/U/ltJjg/9OqZRIsfuk+jZ+
WP+G4w9HCsK7AQvzMyWXqZe+NEvEOoPS4uffG3UQJx6rjIvnhHB6EdXE
-----END PRIVATE KEY-----
`,
}
