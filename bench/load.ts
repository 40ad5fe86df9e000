/** A load generator on bare sockets: the less it costs, the more of the machine is left for the server. */
export type Load = {
  port: number
  connections: number
  durationMs: number
  /** The bytes of the next request of a connection. */
  request: (connection: number, sequence: number) => Uint8Array | string
  /** Statuses that count as right; any other ends the run. */
  expect: number
}
export type LoadResult = { requests: number; perSecond: number; p50: number; p99: number }

export async function load(options: Load): Promise<LoadResult> {
  const latencies: number[] = []
  const startedAt = performance.now()
  const until = startedAt + options.durationMs
  await Promise.all(
    Array.from({ length: options.connections }, (_, connection) =>
      drive(options, connection, until, latencies),
    ),
  )
  const seconds = (performance.now() - startedAt) / 1000
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? 0
  return {
    requests: latencies.length,
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
  }
}

function drive(
  options: Load,
  connection: number,
  until: number,
  latencies: number[],
): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let sequence = 0
  let sentAt = 0
  let received = ''
  const send = (socket: { write(data: string | Uint8Array): number; end(): void }) => {
    if (performance.now() >= until) {
      socket.end()
      return resolve()
    }
    sentAt = performance.now()
    socket.write(options.request(connection, sequence++))
  }
  void Bun.connect({
    hostname: '127.0.0.1',
    port: options.port,
    socket: {
      open: send,
      data(socket, chunk) {
        received += chunk.toString('latin1')
        if (!isWhole(received)) return
        const status = Number(received.slice(9, 12))
        if (status !== options.expect) {
          socket.end()
          return reject(new Error(`answered ${received.slice(0, 600)}`))
        }
        received = ''
        latencies.push(performance.now() - sentAt)
        send(socket)
      },
      error: (_, error) => reject(error),
      close: () => resolve(),
    },
  }).catch(reject)
  return promise
}

function isWhole(text: string): boolean {
  const end = text.indexOf('\r\n\r\n')
  if (end === -1) return false
  const length = /content-length: (\d+)/i.exec(text.slice(0, end))?.[1]
  return text.length >= end + 4 + Number(length ?? 0)
}

export function httpRequest(
  method: string,
  path: string,
  headers: Record<string, string>,
  body = '',
): string {
  const lines = Object.entries({ host: '127.0.0.1', ...headers }).map(
    ([name, value]) => `${name}: ${value}`,
  )
  const length = body === '' ? [] : [`content-length: ${Buffer.byteLength(body)}`]
  return [`${method} ${path} HTTP/1.1`, ...lines, ...length, '', body].join('\r\n')
}
