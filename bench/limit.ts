/**
 * What this machine can do at most: a bare Bun.serve that parses the same JSON, looks up the hashed key and
 * writes the same rows into the same kind of file by prepared statements, commits grouped, FULL. No router,
 * no schema library, no query builder. `bun bench/limit.ts <data folder>`; prints its port.
 */
import { Database } from 'bun:sqlite'
import { createHash } from 'node:crypto'
import { join } from 'node:path'

const db = new Database(join(process.argv[2] ?? '.', 'hub.db'), { strict: true })
for (const pragma of [
  'journal_mode = WAL',
  'synchronous = FULL',
  'foreign_keys = ON',
  'wal_autocheckpoint = 16000',
  'cache_size = -65536',
]) {
  db.run(`PRAGMA ${pragma}`)
}

const begin = db.prepare('BEGIN IMMEDIATE')
const commit = db.prepare('COMMIT')
const savepoint = db.prepare('SAVEPOINT s')
const release = db.prepare('RELEASE s')
const recordHub = db.prepare('UPDATE hub SET last_id = ?, last_ms = ? WHERE id = 1')
const findKey = db.prepare(
  `SELECT realm_id, (SELECT mode FROM realms WHERE id = realm_id) AS mode FROM api_keys
   WHERE hash = ? AND revoked_at IS NULL`,
)
const findModel = db.prepare('SELECT id, kind, token_cost FROM models WHERE name = ?')
const findUser = db.prepare(
  `SELECT id, is_active FROM users WHERE id = (
     SELECT user_id FROM user_identities WHERE realm_id = ? AND kind = 'external' AND subject = ?)`,
)
const insertJob = db.prepare(
  `INSERT INTO jobs (id, realm_id, user_id, kind, model_id, model_name, status, priority, num_outputs, quote,
     tokens_charged, metadata, created_at) VALUES (?, ?, ?, ?, ?, ?, 'queued', 10, ?, ?, ?, '{}', ?)`,
)
const insertInput = db.prepare('INSERT INTO job_inputs (job_id, input) VALUES (?, ?)')
const debit = db.prepare(
  `UPDATE users SET balance = balance - ?1, reserved = reserved + ?1, total_jobs = total_jobs + 1
   WHERE realm_id = ?2 AND id = ?3 AND balance >= ?1 RETURNING balance`,
)
const insertHold = db.prepare(
  `INSERT INTO holds (id, realm_id, user_id, job_id, purpose, amount, state, created_at)
   VALUES (?, ?, ?, ?, 'generate', ?, 'open', ?)`,
)
const insertEntry = db.prepare(
  `INSERT INTO token_entries (user_id, id, realm_id, amount, balance_after, type, hold_id, job_id, description,
     created_at) VALUES (?, ?, ?, ?, ?, 'GENERATION_DEBIT', ?, ?, ?, ?)`,
)
const insertTask = db.prepare(
  `INSERT INTO tasks (id, kind, pool, lane, priority, payload, state, created_at)
   VALUES (?, 'job.execute', 'jobs', ?, 10, '{}', 'ready', ?)`,
)
const findJob = db.prepare('SELECT * FROM jobs WHERE realm_id = ? AND id = ?')

let lastId = (db.query('SELECT last_id FROM hub').get() as { last_id: number }).last_id
const waiting: { change: () => unknown; done: (value: unknown) => void }[] = []

/** One BEGIN and one fsync for all that arrived in a turn of the loop. */
function write<T>(change: () => T): Promise<T> {
  return new Promise(done => {
    waiting.push({ change, done: done as (value: unknown) => void })
    if (waiting.length === 1) setImmediate(flush)
  })
}

function flush() {
  const group = waiting.splice(0, 64)
  begin.run()
  const values = group.map(({ change }) => {
    savepoint.run()
    const value = change()
    release.run()
    return value
  })
  recordHub.run(lastId, Date.now())
  commit.run()
  for (const [index, { done }] of group.entries()) done(values[index])
  if (waiting.length > 0) setImmediate(flush)
}

type Key = { realm_id: number; mode: string }
type Body = { model: string; input: { prompt: string; num_outputs?: number } }

function authenticate(request: Request): Key {
  const hash = createHash('sha256')
    .update(request.headers.get('x-api-key') ?? '')
    .digest()
  return findKey.get(hash) as Key
}

async function generate(request: Request): Promise<Response> {
  const key = authenticate(request)
  const body = (await request.json()) as Body
  const model = findModel.get(body.model) as { id: number; kind: string; token_cost: number }
  const outputs = body.input.num_outputs ?? 1
  const tokens = model.token_cost * outputs
  const userName = request.headers.get('x-user-id')
  const made = await write(() => {
    const now = Date.now()
    const user = findUser.get(key.realm_id, userName) as { id: number }
    const [job, hold, entry] = [++lastId, ++lastId, ++lastId]
    const quote = JSON.stringify({
      tokens,
      perOutput: model.token_cost,
      steps: [{ what: 'tokens', tokens }],
    })
    insertJob.run(
      job,
      key.realm_id,
      user.id,
      model.kind,
      model.id,
      body.model,
      outputs,
      quote,
      tokens,
      now,
    )
    insertInput.run(job, JSON.stringify(body.input))
    const after = debit.get(tokens, key.realm_id, user.id) as { balance: number } | null
    if (!after) throw new Error('402')
    insertHold.run(hold, key.realm_id, user.id, job, tokens, now)
    insertEntry.run(
      user.id,
      entry,
      key.realm_id,
      -tokens,
      after.balance,
      hold,
      job,
      body.model,
      now,
    )
    insertTask.run(job, key.realm_id, now)
    return { job, balance: after.balance }
  })
  return Response.json(
    { job_id: made.job, status: 'queued', user_balance: made.balance },
    { status: 202 },
  )
}

const server = Bun.serve({
  port: 0,
  hostname: '127.0.0.1',
  fetch(request) {
    if (request.method === 'POST') return generate(request)
    const key = authenticate(request)
    const id = Number(request.url.slice(request.url.lastIndexOf('/') + 1))
    return Response.json(findJob.get(key.realm_id, id))
  },
})
console.log(server.port)
