import { afterAll, beforeAll, describe, expect, test } from 'bun:test'
import { Validator } from '@seriousme/openapi-schema-validator'
import { apiClient } from '@test/support/client'
import { httpDoor } from '@test/support/factory'
import { isPage } from '@test/support/openapi-check'
import { type TestHub, testHub } from '@test/support/test-hub'

/**
 * The OpenAPI document as apps get it, against CONTRACT section 5: what Apple's generator turns into
 * good Swift, and nothing that it trips over.
 */
type Node = Record<string, unknown>
type Operation = {
  operationId: string
  summary?: string
  security?: unknown[]
  parameters: { name: string; in: string; required: boolean; schema: Node }[]
  requestBody?: { required: boolean; content: Record<string, { schema: Node }> }
  responses: Record<string, { description: string; content?: Record<string, { schema: Node }> }>
}
type Spec = {
  openapi: string
  paths: Record<string, Record<string, Operation>>
  components: { schemas: Record<string, Node> }
}

let hub: TestHub
let app: ReturnType<typeof httpDoor>
let spec: Spec

beforeAll(async () => {
  hub = await testHub({ isRunning: false })
  app = httpDoor(hub.deps)
  spec = (await apiClient(app).get('/docs/json')).json<Spec>()
})
afterAll(() => hub.close())

const operationsOf = ({ paths }: Spec) =>
  Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({
      where: `${method.toUpperCase()} ${path}`,
      operation,
    })),
  )

test('it is valid OpenAPI 3.1', async () => {
  const result = await new Validator().validate(structuredClone(spec))
  expect(result).toEqual({ valid: true })
  expect(spec.openapi).toBe('3.1.0')
  const broken = structuredClone(spec) as Node
  broken.paths = { generate: {} }
  expect((await new Validator().validate(broken)).valid).toBe(false)
})

test('it has every route of the router, and the router every route of it', () => {
  const routed = app.routes
    .filter(({ method, path }) => !(method === 'GET' && isPage(path)))
    .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, '{$1}')}`)
  const documented = operationsOf(spec).map(({ where }) => where)
  expect(documented.toSorted()).toEqual(routed.toSorted())
  const pages = app.routes.filter(({ path }) => isPage(path)).map(({ path }) => path)
  expect(pages).toEqual(['/docs', '/docs/json', expect.stringMatching(/scalar/), '/swagger'])
})

/** What each operation can answer, written down by hand: what the code says of itself is compared. */
const STATUSES: Record<string, string> = {
  generate: '202 400 401 402 403 404 413 415 422 429 500 503',
  generateImage: '202 400 401 402 403 404 413 415 422 429 500 503',
  estimate: '200 400 401 403 404 413 415 429 500 503',
  getJob: '200 400 401 403 404 429 500 503',
  listJobs: '200 400 401 403 429 500 503',
  cancelJob: '200 400 401 403 404 409 413 415 429 500 503',
  deleteJob: '200 400 401 403 404 409 429 500 503',
  getUser: '200 400 401 403 404 429 500 503',
  listUsers: '200 400 401 403 429 500 503',
  createUser: '200 201 400 401 403 404 413 415 422 429 500 503',
  updateUser: '200 400 401 403 404 413 415 429 500 503',
  deleteUser: '200 400 401 403 404 429 500 503',
  createUserToken: '200 400 401 403 404 413 415 429 500 503',
  grantTokens: '200 400 401 403 404 413 415 422 429 500 503',
  grantTokensBatch: '200 400 401 403 404 413 415 422 429 500 503',
  listTokenEntries: '200 400 401 403 404 429 500 503',
  getUserUsage: '200 400 401 403 404 429 500 503',
  getBalance: '200 400 401 403 404 429 500 503',
  reverseGrant: '200 400 401 403 404 409 413 415 422 429 500 503',
  adjustTokens: '200 400 401 402 403 404 413 415 422 429 500 503',
  chargeUser: '200 400 401 402 403 404 413 415 422 429 500 503',
  reverseCharge: '200 400 401 403 404 409 413 415 422 429 500 503',
  getUsage: '200 400 401 403 429 500 503',
  listPlans: '200 400 401 403 429 500 503',
  listPlanTemplates: '200 400 401 403 429 500 503',
  createPlan: '201 400 401 403 409 413 415 422 429 500 503',
  setDefaultPlan: '200 400 401 403 413 415 429 500 503',
  getPlan: '200 400 401 403 404 429 500 503',
  updatePlan: '200 400 401 403 404 409 413 415 429 500 503',
  deletePlan: '200 400 401 403 404 409 429 500 503',
  setSubscription: '200 400 401 403 404 413 415 422 429 500 503',
  getSubscription: '200 400 401 403 404 429 500 503',
  cancelSubscription: '200 400 401 403 404 413 415 429 500 503',
  resumeSubscription: '200 400 401 403 404 413 415 429 500 503',
  deleteSubscription: '200 400 401 403 404 429 500 503',
  listModels: '200 304 400 401 403 429 500 503',
  getModel: '200 304 400 401 403 404 429 500 503',
  listPrices: '200 400 401 403 429 500 503',
  getPrice: '200 400 401 403 404 429 500 503',
  setPrice: '200 400 401 403 404 413 415 429 500 503',
  removePrice: '200 400 401 403 404 429 500 503',
  getHealth: '200 500 503',
  getShortHealth: '200 500 503',
  getFile: '200 206 304 404 416 500',
  receiveCallback: '200 404 413 500 503',
}

test('it names every status that an operation can answer', () => {
  const found = operationsOf(spec).map(({ operation }) => [
    operation.operationId,
    Object.keys(operation.responses).join(' '),
  ])
  expect(Object.fromEntries(found)).toEqual(STATUSES)
})

test('it is written for Apple’s generator', () => {
  expect(problemsOf(spec)).toEqual([])
})

/** Everything that breaks a rule of CONTRACT section 5, in words. */
function problemsOf(spec: Spec): string[] {
  const { schemas } = spec.components
  return [
    ...idProblems(spec),
    ...operationsOf(spec).flatMap(({ where, operation }) =>
      operationProblems(where, operation, schemas),
    ),
    ...Object.entries(schemas).flatMap(([name, schema]) =>
      schemaProblems(name, schema, { isAnswer: answerNames(spec).has(name), schemas }),
    ),
    ...unusedProblems(spec),
  ]
}

function idProblems(spec: Spec): string[] {
  const ids = operationsOf(spec).map(({ operation }) => operation.operationId)
  return ids.flatMap((id, i) => [
    ...(/^[a-z][a-zA-Z0-9]*$/.test(id) ? [] : [`${id} is not lowerCamelCase`]),
    ...(ids.indexOf(id) === i ? [] : [`${id} is there twice`]),
  ])
}

function operationProblems(
  where: string,
  operation: Operation,
  schemas: Spec['components']['schemas'],
) {
  const problems: string[] = []
  if (!operation.summary) problems.push(`${where} has no summary`)
  const inPath = [...where.matchAll(/\{(\w+)\}/g)].map(([, name]) => name)
  const described = operation.parameters.filter(parameter => parameter.in === 'path')
  if (described.map(({ name }) => name).join() !== inPath.join()) {
    problems.push(`${where} does not describe its path`)
  }
  for (const { name, required, schema } of operation.parameters) {
    problems.push(...schemaProblems(`${where} ${name}`, schema, { isAnswer: false, schemas }))
    if (required && 'default' in schema) problems.push(`${where} ${name} has a default`)
    if (schema.type === 'number') problems.push(`${where} ${name} is a number, not an integer`)
  }
  const bodies = Object.entries(operation.responses).map(
    ([status, { content }]) => [status, content, status] as const,
  )
  for (const [what, content] of [['request', operation.requestBody?.content] as const, ...bodies]) {
    // A report comes as CSV too, as plain text: everything else has one form.
    const types = Object.entries(content ?? {}).filter(
      ([type, { schema }]) =>
        !(what === '200' && type === 'text/csv' && JSON.stringify(schema) === '{"type":"string"}'),
    )
    if (types.length > 1) problems.push(`${where} ${what} has several media types`)
    for (const [type, { schema }] of types) {
      const isNamed = Object.keys(schema).join() === '$ref'
      if (type === 'application/json' && !isNamed) problems.push(`${where} ${what} is not named`)
      if (type !== 'application/json' && type !== '*/*') problems.push(`${where} answers ${type}`)
    }
  }
  return problems
}

const FORBIDDEN =
  'propertyNames not patternProperties nullable oneOf allOf const if then else prefixItems $defs $schema'

/** Numbers with a fraction, on purpose; everything else that counts is an int64. */
const FRACTIONS = ['duration_seconds', 'score', 'success', 'success_rate']

function schemaProblems(
  where: string,
  node: Node,
  at: { isAnswer: boolean; schemas: Record<string, Node>; isOpenWord?: boolean },
): string[] {
  const problems: string[] = []
  const types = [node.type].flat()
  for (const word of FORBIDDEN.split(' ')) if (word in node) problems.push(`${where} has ${word}`)
  if ('$ref' in node) {
    const name = String(node.$ref).replace('#/components/schemas/', '')
    if (!at.schemas[name]) problems.push(`${where} refers to ${name}, which is not there`)
    // Nothing beside a reference: a sibling `type` would make it a nullable one.
    if (Object.keys(node).length > 1) problems.push(`${where} has a reference with company`)
  }
  if (types.includes('integer') && node.format !== 'int64') problems.push(`${where} is no int64`)
  if (types.includes('number') && !FRACTIONS.some(name => where.endsWith(`.${name}`))) {
    problems.push(`${where} is a number`)
  }
  if (/_at$/.test(where) && node.format !== 'date-time') problems.push(`${where} is no date-time`)
  if (node.additionalProperties === false && at.isAnswer) problems.push(`${where} is closed`)
  if (node.enum && at.isAnswer && !at.isOpenWord && where !== 'JobStatus') {
    problems.push(`${where} is a closed enum`)
  }
  // One that may be null has none: its name would be a reference, and a reference cannot be null.
  if (node.properties && at.isAnswer && where.includes('.') && !types.includes('null')) {
    problems.push(`${where} is an object without a name`)
  }
  for (const name of Object.keys((node.properties as Node) ?? {})) {
    const field = (node.properties as Record<string, Node>)[name] ?? {}
    problems.push(...schemaProblems(`${where}.${name}`, field, { ...at, isOpenWord: false }))
    const isRequired = ((node.required as string[]) ?? []).includes(name)
    if (!at.isAnswer && isRequired && 'default' in field) {
      problems.push(`${where}.${name} has a default and is required`)
    }
  }
  for (const name of ['items', 'additionalProperties']) {
    const part = node[name]
    if (part && typeof part === 'object' && Object.keys(part).length > 0) {
      problems.push(...schemaProblems(`${where}.${name}`, part as Node, at))
    }
  }
  problems.push(...anyOfProblems(where, node, at))
  return problems
}

/** `anyOf` says one thing only: known words, and then any word (or none). */
function anyOfProblems(
  where: string,
  node: Node,
  at: { isAnswer: boolean; schemas: Record<string, Node> },
): string[] {
  const options = node.anyOf as Node[] | undefined
  if (!options) return []
  const [known, any] = options
  const isOpenWords =
    options.length === 2 &&
    known?.type === 'string' &&
    Array.isArray(known.enum) &&
    Object.keys(any ?? {}).join() === 'type' &&
    [any?.type].flat()[0] === 'string'
  if (!isOpenWords) return [`${where} has an anyOf that is not open words`]
  return options.flatMap(option => schemaProblems(where, option, { ...at, isOpenWord: true }))
}

/** Components that an answer is made of, whatever else uses them. */
function answerNames(spec: Spec): Set<string> {
  const found = new Set<string>()
  const visit = (node: unknown) => {
    for (const name of refsOf(node)) {
      if (found.has(name)) continue
      found.add(name)
      visit(spec.components.schemas[name])
    }
  }
  for (const { operation } of operationsOf(spec)) visit(operation.responses)
  return found
}

function refsOf(node: unknown): string[] {
  const refs = JSON.stringify(node ?? null).matchAll(/"#\/components\/schemas\/([^"]+)"/g)
  return [...refs].map(([, name]) => name ?? '')
}

function unusedProblems(spec: Spec): string[] {
  const used = new Set(refsOf(spec))
  return Object.keys(spec.components.schemas)
    .filter(name => !used.has(name))
    .map(name => `${name} is used by nobody`)
}

describe('a planted fault is found:', () => {
  const field = (spec: Spec, component: string, name: string, schema: Node) => {
    const { properties } = spec.components.schemas[component] as {
      properties: Record<string, Node>
    }
    properties[name] = schema
  }
  const generate = (spec: Spec) => spec.paths['/api/v1/generate']?.post as Operation
  const faults: [string, (spec: Spec) => void, string][] = [
    ['an id with a dash', s => Object.assign(generate(s), { operationId: 'gen-erate' }), 'Camel'],
    ['an id twice', s => Object.assign(generate(s), { operationId: 'getJob' }), 'twice'],
    [
      'a closed answer',
      s => Object.assign(s.components.schemas.Job as Node, { additionalProperties: false }),
      'closed',
    ],
    [
      'a closed enum',
      s => field(s, 'Job', 'kind', { type: 'string', enum: ['image'] }),
      'closed enum',
    ],
    [
      'anyOf null',
      s => field(s, 'Job', 'x', { anyOf: [{ type: 'string' }, { type: 'null' }] }),
      'open words',
    ],
    [
      'a nullable reference',
      s => field(s, 'Job', 'x', { $ref: '#/components/schemas/User', type: ['object', 'null'] }),
      'company',
    ],
    [
      'a lost reference',
      s => field(s, 'Job', 'x', { $ref: '#/components/schemas/Nobody' }),
      'Nobody',
    ],
    ['a plain integer', s => field(s, 'Job', 'x', { type: 'integer' }), 'no int64'],
    ['a nullable integer', s => field(s, 'Job', 'x', { type: ['integer', 'null'] }), 'no int64'],
    ['a number', s => field(s, 'Job', 'tokens', { type: 'number' }), 'a number'],
    ['a time as text', s => field(s, 'Job', 'seen_at', { type: 'string' }), 'date-time'],
    [
      'propertyNames',
      s => field(s, 'Job', 'x', { type: 'object', propertyNames: {} }),
      'propertyNames',
    ],
    [
      'an object without a name',
      s => field(s, 'Job', 'x', { type: 'object', properties: {} }),
      'without a name',
    ],
    [
      'a part of a list',
      s => field(s, 'Job', 'x', { type: 'array', items: { type: 'integer' } }),
      'no int64',
    ],
    [
      'a default that is required',
      s => Object.assign(s.components.schemas.GenerateRequest as Node, { required: ['metadata'] }),
      'default',
    ],
    [
      'two media types',
      s =>
        Object.assign(generate(s).requestBody?.content as Node, { 'text/plain': { schema: {} } }),
      'several',
    ],
    [
      'a CSV that is no text',
      s => {
        const usage = s.paths['/api/v1/usage']?.get as Operation
        const csv = { 'text/csv': { schema: { type: 'integer' } } }
        Object.assign(usage.responses[200]?.content as Node, csv)
      },
      'several',
    ],
    [
      'an answer without a name',
      s =>
        Object.assign(generate(s).responses, {
          418: { content: { 'application/json': { schema: { type: 'string' } } } },
        }),
      'not named',
    ],
    ['a component for nobody', s => Object.assign(s.components.schemas, { Lonely: {} }), 'Lonely'],
  ]
  test.each(faults)('%s', (_, spoil, says) => {
    const spoiled = structuredClone(spec)
    spoil(spoiled)
    expect(problemsOf(spoiled).join('\n')).toContain(says)
  })
})
