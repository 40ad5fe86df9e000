import Ajv2020, { type ValidateFunction } from 'ajv/dist/2020'
import addFormats from 'ajv-formats'
import { type Document, openapiDocument } from '@/http/openapi'
import { OPERATIONS } from '@/http/operations'

/**
 * Holds answers against the OpenAPI document. Answers are not validated at run time, so this is where
 * presenters and document are kept together: a status, a field or a media type that the document does
 * not name is a failure, and so is a header that every answer must have.
 */
export type Exchange = {
  method: string
  /** Path with query, as it was asked for. */
  path: string
  status: number
  headers: Headers
  body: Uint8Array
  /** The caller means a path or method that is not in the document: it must be told so, and no more. */
  isOutside?: boolean
}

/** Everything that is wrong with an answer, each in words; empty when nothing is. */
export type AnswerCheck = (exchange: Exchange) => string[]

export function answerCheck(document: Document): AnswerCheck {
  const routes = routesOf(document)
  const validate = validatorOf(document)
  return exchange => {
    const problems = headerProblems(exchange)
    const route = findRoute(routes, exchange)
    if (!route || exchange.isOutside) {
      return [...problems, ...outsideProblems(exchange, route !== null, validate)]
    }
    const answer = route.answers[exchange.status]
    if (!answer) return [...problems, `status ${exchange.status} is not documented`]
    return [...problems, ...bodyProblems(exchange, answer, validate)]
  }
}

/** The check against the document as it is now, made once. */
export function currentCheck(): AnswerCheck {
  check ??= answerCheck(openapiDocument(OPERATIONS, { version: 'test' }))
  return check
}
let check: AnswerCheck | null = null

/**
 * Puts the check around an app's `handle` (or a server's `fetch`): whoever calls it gets the answer, or an
 * error that names what the document does not say.
 */
export function checkedHandle(
  handle: (request: Request) => Response | Promise<Response>,
  check: AnswerCheck = currentCheck(),
): (request: Request) => Promise<Response> {
  return async request => {
    const response = await handle(request)
    // A socket leaves the body of a HEAD at home; an app that is asked directly may not.
    const body = request.method === 'HEAD' ? new Uint8Array() : await response.clone().bytes()
    const path = pathOf(request.url)
    expectDocumented(check, { method: request.method, path, ...partsOf(response), body })
    return response
  }
}

export class UndocumentedAnswer extends Error {
  override readonly name = 'UndocumentedAnswer'
}

export function expectDocumented(check: AnswerCheck, exchange: Exchange): void {
  const problems = check(exchange)
  if (problems.length === 0) return
  const { method, path, status, body } = exchange
  const shown = Buffer.from(body).toString('utf8').slice(0, 500)
  throw new UndocumentedAnswer(
    `${method} ${path.slice(0, 200)} -> ${status}: ${problems.join('; ')}\n${shown}`,
  )
}

/** Answered outside of the document, on purpose: pages for people. */
export const PAGES = ['/docs', '/docs/json', /^\/docs\/scalar-[\d.]+\.js$/, '/swagger'] as const

export function isPage(path: string): boolean {
  const [bare = ''] = path.split('?')
  return PAGES.some(page => (typeof page === 'string' ? page === bare : page.test(bare)))
}

type Schema = Record<string, unknown>
type DocumentedAnswer = { content?: Record<string, { schema: Schema }> }
type Route = {
  method: string
  segments: string[]
  answers: Record<number, DocumentedAnswer | undefined>
}
type Validate = (schema: Schema, value: unknown) => string[]

function routesOf(document: Document): Route[] {
  const routes = Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      method: method.toUpperCase(),
      segments: path.split('/'),
      answers: (operation as { responses: Route['answers'] }).responses,
    })),
  )
  // `/users/tokens/batch` before `/users/{external_id}/...`, as the router has it.
  return routes.sort((a, b) => parameterCount(a) - parameterCount(b))
}

const isParameter = (segment: string) => segment.startsWith('{')
const parameterCount = (route: Route) => route.segments.filter(isParameter).length

function findRoute(routes: Route[], { method, path }: Exchange): Route | null {
  // HEAD is a GET whose body stays at home.
  const asked = method === 'HEAD' ? 'GET' : method
  const [bare = ''] = path.split(/[?#]/)
  // The router does not mind one slash at the end.
  const segments = bare.replace(/(.)\/$/, '$1').split('/')
  const fits = (route: Route) =>
    route.method === asked &&
    route.segments.length === segments.length &&
    route.segments.every((part, i) =>
      isParameter(part) ? segments[i] !== '' : part === segments[i],
    )
  return routes.find(fits) ?? null
}

const ERROR = { $ref: '#/components/schemas/Error' }

function outsideProblems(exchange: Exchange, isKnown: boolean, validate: Validate): string[] {
  if (exchange.isOutside && isKnown) return ['the path is in the document after all']
  if (isPage(exchange.path) && ['GET', 'HEAD'].includes(exchange.method)) return []
  if (!exchange.isOutside) return ['path and method are not in the document']
  if (exchange.status !== 404) return ['what is not in the document must be a 404']
  return bodyProblems(exchange, { content: { 'application/json': { schema: ERROR } } }, validate)
}

function bodyProblems(exchange: Exchange, answer: DocumentedAnswer, validate: Validate): string[] {
  const { method, status, headers, body } = exchange
  const [given = ''] = (headers.get('content-type') ?? '').split(';')
  const documented = Object.entries(answer.content ?? {}).toSorted(
    // Of several forms the one that came.
    ([a], [b]) => Number(b === given) - Number(a === given),
  )[0]
  if (method === 'HEAD' || !documented) {
    return body.length === 0 ? [] : [`an answer ${status} to ${method} has no body`]
  }
  const [mediaType, { schema }] = documented
  if (mediaType === '*/*') return []
  if (given !== mediaType) return [`the media type ${given} is not documented`]
  if (mediaType === 'text/csv') return validate(schema, new TextDecoder().decode(body))
  const value = parse(body)
  if (value === undefined) return ['the body is not JSON']
  return [...validate(schema, value), ...requestIdProblems(exchange, value)]
}

function parse(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body))
  } catch {
    return undefined
  }
}

/** CONTRACT section 1 and the house rule of headers: on every answer, whatever it says. */
const EVERYWHERE: Record<string, RegExp> = {
  'x-request-id': /^[\x21-\x7e]{1,128}$/,
  'x-content-type-options': /^nosniff$/,
  'referrer-policy': /^no-referrer$/,
  'x-frame-options': /^DENY$/,
  'content-security-policy': /default-src 'none'/,
  'cross-origin-resource-policy': /^(same-origin|cross-origin)$/,
  'cache-control': /^(no-store|no-cache|private, .+|public, max-age=31536000, immutable)$/,
}

function headerProblems({ headers, status }: Exchange): string[] {
  const problems = Object.entries(EVERYWHERE).flatMap(([name, form]) => {
    const value = headers.get(name)
    if (value === null) return [`the header ${name} is missing`]
    return form.test(value) ? [] : [`the header ${name} is ${value}`]
  })
  for (const name of headers.keys()) {
    if (name.startsWith('access-control-')) problems.push(`${name} opens the API to web pages`)
  }
  const wait = headers.get('retry-after')
  if (wait !== null && !/^[1-9]\d*$/.test(wait)) problems.push(`Retry-After is ${wait}`)
  if (status === 429 && wait === null) problems.push('429 without Retry-After')
  return problems
}

function requestIdProblems({ headers }: Exchange, value: unknown): string[] {
  if (value === null || typeof value !== 'object' || !('request_id' in value)) return []
  const isSame = value.request_id === headers.get('x-request-id')
  return isSame ? [] : ['request_id and X-Request-ID differ']
}

/** Swift's decoders refuse fractions and offsets, so this is narrower than RFC 3339. */
const WHOLE_SECONDS = /^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}Z$/

function validatorOf(document: Document): Validate {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats(ajv)
  ajv.addFormat('date-time', {
    validate: (text: string) => WHOLE_SECONDS.test(text) && !Number.isNaN(Date.parse(text)),
  })
  ajv.addFormat('int64', { type: 'number', validate: Number.isSafeInteger })
  const { schemas } = document.components as { schemas: Record<string, Schema> }
  const $defs = closed(schemas)
  const compiled = new Map<string, ValidateFunction>()
  return (schema, value) => {
    const name = JSON.stringify(schema)
    const known = compiled.get(name) ?? ajv.compile({ ...(closed(schema) as Schema), $defs })
    compiled.set(name, known)
    if (known(value)) return []
    return (known.errors ?? []).map(error => {
      const extra = error.params.additionalProperty
      const where = error.instancePath === '' ? 'the body' : error.instancePath
      return `${where} ${error.message}${extra === undefined ? '' : `: ${extra}`}`
    })
  }
}

/** Clients must take new fields; we must not send one that we have not described. */
function closed(node: unknown): unknown {
  if (Array.isArray(node)) return node.map(closed)
  if (node === null || typeof node !== 'object') return node
  const result: Schema = {}
  for (const [key, value] of Object.entries(node)) {
    result[key] =
      key === '$ref' ? String(value).replace('#/components/schemas/', '#/$defs/') : closed(value)
  }
  const isObject = typeof result.properties === 'object' && [result.type].flat().includes('object')
  if (isObject && !('additionalProperties' in result)) result.additionalProperties = false
  return result
}

export function partsOf(response: Response): Pick<Exchange, 'status' | 'headers'> {
  return { status: response.status, headers: response.headers }
}

/** Everything after the host, as it was written: URL would tidy it up. */
export function pathOf(url: string): string {
  return url.slice(url.indexOf('/', url.indexOf('//') + 2))
}
