import { Elysia } from 'elysia'
import { z } from 'zod'
import { openLink } from '@/domain/files'
import { isFresh } from './fresh'
import { type Call, guarded, type HttpDeps } from './guard'
import { operation } from './operation'
import { parseRange } from './range'

export const GET_FILE = operation({
  method: 'GET',
  path: '/files/:name',
  id: 'getFile',
  summary: 'Read a stored file by its signed link',
  description: 'Links come with jobs and webhooks. Ranges and `If-None-Match` work.',
  tag: 'Service',
  access: 'public',
  query: z.object({ exp: z.string().default(''), sig: z.string().default('') }),
  answers: {
    200: {
      description: 'The file.',
      schema: z.string().meta({ format: 'binary' }),
      mediaType: '*/*',
    },
    206: {
      description: 'A range of it.',
      schema: z.string().meta({ format: 'binary' }),
      mediaType: '*/*',
    },
    304: { description: 'It is as `If-None-Match` says.', schema: z.never() },
    416: { description: 'The range lies outside of the file.', schema: z.never() },
  },
  errors: ['not_found'],
})

export const fileRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'files' }).get(
    GET_FILE.path,
    guarded(http, GET_FILE, call => serve(http, call)),
    { detail: { hide: true } },
  )

async function serve({ deps }: HttpDeps, call: Call<typeof GET_FILE>): Promise<Response> {
  const { query, request } = call
  const name = call.params.name ?? ''
  const file = openLink(deps, { name, expiry: query.exp, signature: query.sig })
  const etag = `"${file.sha256.slice(0, 32)}"`
  const secondsLeft = Math.max(Number(query.exp) - Math.floor(deps.clock.wall() / 1000), 0)
  const headers: Record<string, string> = {
    'content-type': file.contentType,
    'cache-control': `private, max-age=${secondsLeft}, immutable`,
    etag,
    'accept-ranges': 'bytes',
    'content-disposition': `inline; filename="${name}"`,
    // Whatever the bytes are, they never run on our origin.
    'content-security-policy': "default-src 'none'; sandbox",
    'cross-origin-resource-policy': 'cross-origin',
  }
  if (isFresh(request, etag)) return new Response(null, { status: 304, headers })
  const isSame = [null, etag].includes(request.headers.get('if-range'))
  const range = isSame ? parseRange(request.headers.get('range'), file.bytes) : null
  if (range === 'unsatisfiable') {
    return new Response(null, {
      status: 416,
      headers: { 'content-range': `bytes */${file.bytes}` },
    })
  }
  if (range === null) {
    return new Response(await file.read(), {
      headers: { ...headers, 'content-length': String(file.bytes) },
    })
  }
  return new Response(await file.read(range), {
    status: 206,
    headers: {
      ...headers,
      'content-range': `bytes ${range.start}-${range.end}/${file.bytes}`,
      'content-length': String(range.end - range.start + 1),
    },
  })
}
