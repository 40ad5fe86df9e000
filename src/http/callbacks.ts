import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import { receiveCallback } from '@/domain/generation'
import { type Call, guarded, type HttpDeps } from './guard'
import { operation } from './operation'

export const RECEIVE_CALLBACK = operation({
  method: 'POST',
  path: '/callbacks/:provider/:attempt/:token',
  id: 'receiveCallback',
  summary: 'For providers: something happened to an attempt',
  tag: 'Service',
  access: 'public',
  answers: {
    200: {
      description: 'Noted.',
      schema: z.object({ received: z.boolean() }).meta({ id: 'Received' }),
    },
  },
  errors: ['not_found', 'too_large', 'busy'],
})

/** Vendors send the finished object, some with inline pictures. */
const MAX_BYTES = 8 * 1024 * 1024

export const callbackRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'callbacks' }).post(
    RECEIVE_CALLBACK.path,
    guarded(http, RECEIVE_CALLBACK, call => receive(http, call)),
    { parse: 'none', detail: { hide: true } },
  )

async function receive({ deps }: HttpDeps, call: Call<typeof RECEIVE_CALLBACK>) {
  const { params, request } = call
  await receiveCallback(deps, {
    provider: params.provider ?? '',
    attempt: params.attempt ?? '',
    token: params.token ?? '',
    readBody: () => readRaw(request),
    headers: request.headers,
  })
  return { status: 200, body: { received: true } }
}

async function readRaw(request: Request): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of request.body ?? []) {
    size += chunk.length
    if (size > MAX_BYTES) throw new AppError('too_large', { detail: { max_bytes: MAX_BYTES } })
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}
