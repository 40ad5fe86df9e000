import { z } from 'zod'
import { ERRORS, type ErrorCode } from '@/base/errors'
import type { Operation } from './operation'
import { ErrorBody } from './schemas'

/**
 * The OpenAPI 3.1 document from the operations, written for Apple's swift-openapi-generator (CONTRACT
 * section 5): named schemas, nullable as `type: [T, "null"]`, `int64`, nothing closed in answers.
 */
export type Document = Record<string, unknown> & { paths: Record<string, Record<string, unknown>> }
type Schema = { [key: string]: unknown }

export function openapiDocument(
  operations: readonly Operation[],
  about: { version: string; serverUrl?: string },
): Document {
  const schemas = new Map<string, Schema>()
  const paths: Document['paths'] = {}
  const toSchema = (schema: z.ZodType, io: 'input' | 'output') => named(schema, io, schemas)

  for (const operation of operations) {
    const path = operation.path.replace(/:(\w+)/g, '{$1}')
    paths[path] ??= {}
    paths[path][operation.method.toLowerCase()] = describe(operation, toSchema)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'AI Backend Hub',
      version: about.version,
      description:
        'Pictures, video and text by AI for apps: users, tokens, jobs, files and webhooks behind one key.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    servers: [{ url: about.serverUrl ?? '/' }],
    tags: TAGS.map(name => ({ name })),
    security: [{ apiKey: [] }, { bearer: [] }],
    paths,
    components: {
      schemas: Object.fromEntries([...schemas].sort(([a], [b]) => (a < b ? -1 : 1))),
      securitySchemes: {
        apiKey: { type: 'apiKey', in: 'header', name: 'X-API-Key' },
        bearer: { type: 'http', scheme: 'bearer' },
      },
    },
  }
}

const TAGS = ['Jobs', 'Users', 'Tokens', 'Plans', 'Usage', 'Catalogue', 'Service']

/** The codes that every guarded route can answer, and those that a body brings. */
const ALWAYS: ErrorCode[] = ['internal_error']
const GUARDED: ErrorCode[] = [
  'invalid_input',
  'missing_api_key',
  'invalid_api_key',
  'app_disabled',
  'rate_limited',
  'shutting_down',
  'busy',
]
const WITH_BODY: ErrorCode[] = ['invalid_input', 'too_large', 'unsupported_media']

type ToSchema = (schema: z.ZodType, io: 'input' | 'output') => Schema

function describe(operation: Operation, toSchema: ToSchema): Schema {
  const { access } = operation
  return {
    operationId: operation.id,
    summary: operation.summary,
    ...(operation.description ? { description: operation.description } : {}),
    tags: [operation.tag],
    ...(access === 'public' ? { security: [] } : {}),
    parameters: [
      ...pathParameters(operation),
      ...queryParameters(operation, toSchema),
      ...headers(operation),
    ],
    ...(operation.body
      ? {
          requestBody: {
            required: !operation.isBodyOptional,
            content: { 'application/json': { schema: toSchema(operation.body, 'input') } },
          },
        }
      : {}),
    responses: { ...answers(operation, toSchema), ...refusals(operation, toSchema) },
  }
}

function pathParameters(operation: Operation): Schema[] {
  return [...operation.path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters(operation: Operation, toSchema: ToSchema): Schema[] {
  if (!operation.query) return []
  return Object.entries(operation.query.shape).map(([name, field]) => {
    const { description, ...schema } = toSchema(field as z.ZodType, 'input')
    const isRequired = !(field as z.ZodType).safeParse(undefined).success
    return {
      name,
      in: 'query',
      required: isRequired,
      ...(description ? { description } : {}),
      schema,
    }
  })
}

function headers(operation: Operation): Schema[] {
  const { access } = operation
  const header = (name: string, description: string) => ({
    name,
    in: 'header',
    required: false,
    description,
    schema: { type: 'string' },
  })
  const list: Schema[] = []
  if (access !== 'public' && access.user !== 'none') {
    list.push(
      header('X-User-ID', 'Your own id of the user whom this call is for.'),
      header('X-User-Token', 'Proves the user; needed with a publishable live key.'),
    )
  }
  if (operation.isIdempotent) {
    list.push(header('Idempotency-Key', 'A repeated call with the same key has one effect.'))
  }
  return list
}

function answers(operation: Operation, toSchema: ToSchema): Schema {
  return Object.fromEntries(
    Object.entries(operation.answers).map(([status, answer]) => [
      status,
      answer.schema instanceof z.ZodNever
        ? { description: answer.description }
        : {
            description: answer.description,
            content: {
              [answer.mediaType ?? 'application/json']: {
                schema: toSchema(answer.schema, 'output'),
              },
              ...(answer.isAlsoCsv ? { 'text/csv': { schema: { type: 'string' } } } : {}),
            },
          },
    ]),
  )
}

function refusals(operation: Operation, toSchema: ToSchema): Schema {
  const schema = toSchema(ErrorBody, 'output')
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of codesOf(operation)) {
    const { status } = ERRORS[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  return Object.fromEntries(
    [...byStatus].map(([status, codes]) => [
      status,
      {
        description: codes.map(code => `\`${code}\``).join(', '),
        content: { 'application/json': { schema } },
      },
    ]),
  )
}

/** Every code that this operation can answer, from what it says of itself. */
export function codesOf(operation: Operation): ErrorCode[] {
  const { access } = operation
  const codes = new Set<ErrorCode>([...ALWAYS, ...(operation.errors ?? [])])
  if (operation.body) for (const code of WITH_BODY) codes.add(code)
  if (access !== 'public') {
    for (const code of GUARDED) codes.add(code)
    // The token is read wherever it is sent, and so is the user's name.
    codes.add('invalid_user_token')
    codes.add('missing_user_token')
    if (access.user !== 'none') codes.add('missing_user')
    if (operation.path.includes(':external_id')) codes.add('missing_user')
    if (access.keys === 'secret') codes.add('forbidden')
  }
  return [...codes]
}

/** The schema as a reference where it has a name; its parts with names become components too. */
function named(schema: z.ZodType, io: 'input' | 'output', schemas: Map<string, Schema>): Schema {
  const raw = z.toJSONSchema(schema, {
    io,
    target: 'draft-2020-12',
    unrepresentable: 'any',
    reused: 'inline',
  }) as Schema
  const { $defs, $schema: _, '~standard': __, id: ___, ...own } = raw
  for (const [name, part] of Object.entries(($defs as Record<string, Schema>) ?? {})) {
    const { id: ____, ...rest } = part
    schemas.set(name, forSwift(rest, io) as Schema)
  }
  const id = z.globalRegistry.get(schema)?.id
  if (!id) return forSwift(own, io) as Schema
  if (!schemas.has(id)) schemas.set(id, forSwift(own, io) as Schema)
  return { $ref: `#/components/schemas/${id}` }
}

/** Rewrites what zod prints into what Apple's generator reads. */
function forSwift(node: unknown, io: 'input' | 'output'): unknown {
  if (Array.isArray(node)) return node.map(part => forSwift(part, io))
  if (node === null || typeof node !== 'object') return node
  const source = flattenNull(node as Schema)
  const result: Schema = {}
  for (const [key, value] of Object.entries(source)) {
    if (key === 'propertyNames' || key === '$schema' || key === 'id') continue
    // An answer may get new fields at any time.
    if (key === 'additionalProperties' && value === false && io === 'output') continue
    if (key === '$ref') result.$ref = String(value).replace('#/$defs/', '#/components/schemas/')
    else if (key === 'properties') result.properties = fieldsForSwift(value as Schema, io)
    else result[key] = forSwift(value, io)
  }
  const types = [result.type].flat()
  if (types.includes('integer')) {
    result.format = 'int64'
    // The bounds of JavaScript's safe integers are noise.
    if (result.minimum === Number.MIN_SAFE_INTEGER) delete result.minimum
    if (result.maximum === Number.MAX_SAFE_INTEGER) delete result.maximum
  }
  return result
}

/** The names in here are fields of ours and no words of JSON Schema, even when one is called `id`. */
function fieldsForSwift(fields: Schema, io: 'input' | 'output'): Schema {
  return Object.fromEntries(
    Object.entries(fields).map(([name, field]) => [name, forSwift(field, io)]),
  )
}

/** `anyOf: [T, null]` becomes `type: [T, "null"]`; of open words the null joins the free string. */
function flattenNull(node: Schema): Schema {
  const options = node.anyOf as Schema[] | undefined
  if (!options?.some(option => option.type === 'null')) return node
  const rest = options.filter(option => option.type !== 'null')
  const { anyOf: _, ...around } = node
  const [only] = rest
  if (rest.length === 1 && only) {
    if (only.anyOf) return { ...around, anyOf: nullLast(only.anyOf as Schema[]) }
    return { ...around, ...only, type: [only.type, 'null'].flat() }
  }
  return { ...around, anyOf: nullLast(rest) }
}

function nullLast(options: Schema[]): Schema[] {
  return options.map((option, index) =>
    index === options.length - 1 ? { ...option, type: [option.type, 'null'].flat() } : option,
  )
}
