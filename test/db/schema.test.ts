import { Database } from 'bun:sqlite'
import { describe, expect, test } from 'bun:test'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { getTableColumns, is, SQL, sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/bun-sqlite'
import {
  getTableConfig,
  index,
  integer,
  primaryKey,
  type SQLiteColumn,
  SQLiteSyncDialect,
  SQLiteTable,
  sqliteTable,
  text,
  uniqueIndex,
} from 'drizzle-orm/sqlite-core'
import type { AppId, KeyId, RealmId } from '@/base/ids'
import * as schema from '@/db/schema'

const MIGRATIONS = join(import.meta.dir, '../../migrations')
const BREAKPOINT = '--> statement-breakpoint'
/** Made by the migration runner itself, before the first migration. */
const BOOKKEEPING = 'hub_migrations'

/**
 * What a side says about the tables, one sentence a fact: 'column jobs.status' -> 'TEXT not null'. Two sides
 * agree when their facts are equal, and a difference names its table and column by itself.
 */
type Facts = Map<string, string>

describe('the schema and a migrated database agree on', () => {
  const database = migrated(migrationSql())
  const tables = Object.values(schema).filter(value => is(value, SQLiteTable))
  test('tables', () => {
    expect(tables.length).toBeGreaterThan(0)
    expect(differences(tablesOf(database), tableFacts(tables))).toEqual([])
  })
  test('columns: type, nullability, place in the primary key and default', () => {
    expect(differences(columnsOf(database), columnFacts(tables))).toEqual([])
  })
  test('names: a property is its column in camel case, so that no two are swapped', () => {
    expect(tables.flatMap(misnamedProperties)).toEqual([])
    const swapped = { height: integer('width'), startedAt: integer('started_at') }
    expect(misnamedProperties(sqliteTable('pictures', swapped))).toEqual([
      'property height of column pictures.width',
    ])
  })
  test('closed sets', () => {
    expect(differences(closedSetsOf(database), closedSetFacts(tables))).toEqual([])
  })
  test('indexes and unique constraints', () => {
    expect(differences(indexesOf(database), indexFacts(tables))).toEqual([])
  })
  test('foreign keys', () => {
    expect(differences(foreignKeysOf(database), foreignKeyFacts(tables))).toEqual([])
  })
})

describe('a difference is named', () => {
  // Tables of their own, so that these tests stay true whatever later migrations change.
  const owners = sqliteTable('owners', {
    id: integer('id').primaryKey(),
    email: text('email').notNull().unique(),
  })
  const pets = sqliteTable(
    'pets',
    {
      ownerId: integer('owner_id')
        .notNull()
        .references(() => owners.id, { onDelete: 'cascade' }),
      name: text('name').notNull(),
      state: text('state', { enum: ['awake', 'asleep'] }).notNull(),
      isFed: integer('is_fed', { mode: 'boolean' }).notNull().default(false),
      notes: text('notes').notNull().default('{}'),
      born: integer('born'),
    },
    table => [
      primaryKey({ columns: [table.ownerId, table.name] }),
      index('pets_awake').on(table.name, table.born).where(sql`${table.state} = 'awake'`),
      uniqueIndex('pets_by_birth').on(table.born),
    ],
  )
  const petSql = `
    CREATE TABLE owners (id INTEGER PRIMARY KEY, email TEXT NOT NULL UNIQUE) STRICT;
    ${BREAKPOINT}
    CREATE TABLE pets (
      owner_id INTEGER NOT NULL REFERENCES owners (id) ON DELETE CASCADE,
      name TEXT NOT NULL,
      state TEXT NOT NULL CHECK (
        state IN ('awake', 'asleep')
      ),
      is_fed INTEGER NOT NULL DEFAULT 0 CHECK (is_fed IN (0, 1)),
      notes TEXT NOT NULL DEFAULT '{}',
      born INTEGER,
      PRIMARY KEY (owner_id, name)
    ) STRICT, WITHOUT ROWID;
    ${BREAKPOINT}
    CREATE INDEX pets_awake ON pets (name, born) WHERE state = 'awake';
    ${BREAKPOINT}
    CREATE UNIQUE INDEX pets_by_birth ON pets (born);
    ${BREAKPOINT}
    CREATE TABLE hub_migrations (number INTEGER PRIMARY KEY)`

  test('none where there is none, and the bookkeeping table is not looked at', () => {
    expect(allDifferences(migrated(petSql), [owners, pets])).toEqual([])
  })
  test('a table that one side does not have', () => {
    expect(differences(tablesOf(migrated(petSql)), tableFacts([owners]))).toEqual([
      'table pets: the database has strict, the schema has nothing',
    ])
    expect(differences(tablesOf(new Database(':memory:')), tableFacts([owners]))).toEqual([
      'table owners: the database has nothing, the schema has strict',
    ])
  })
  test.each([
    [
      ') STRICT, WITHOUT ROWID',
      ') WITHOUT ROWID',
      'table pets: the database has not strict, the schema has strict',
    ],
    [
      'born INTEGER,',
      'born INTEGER, died INTEGER,',
      'column pets.died: the database has INTEGER nullable, the schema has nothing',
    ],
    [
      'born INTEGER,',
      'born BLOB,',
      'column pets.born: the database has BLOB nullable, the schema has INTEGER nullable',
    ],
    [
      'born INTEGER,',
      'born INTEGER NOT NULL,',
      'column pets.born: the database has INTEGER not null, the schema has INTEGER nullable',
    ],
    [
      "DEFAULT '{}'",
      "DEFAULT '[]'",
      "column pets.notes: the database has TEXT not null default '[]', the schema has TEXT not null default '{}'",
    ],
    [
      'DEFAULT 0',
      '',
      'column pets.is_fed: the database has INTEGER not null, the schema has INTEGER not null default 0',
    ],
    [
      'PRIMARY KEY (owner_id, name)',
      'PRIMARY KEY (owner_id)',
      'column pets.name: the database has TEXT not null, the schema has TEXT not null primary key 2',
    ],
    [
      "('awake', 'asleep')",
      "('awake')",
      "closed set pets.state: the database has 'awake', the schema has 'asleep', 'awake'",
    ],
    [
      'CHECK (is_fed IN (0, 1))',
      '',
      'closed set pets.is_fed: the database has nothing, the schema has 0, 1',
    ],
    [
      'NOT NULL UNIQUE',
      'NOT NULL',
      'unique owners (email): the database has nothing, the schema has a constraint',
    ],
    [
      'CREATE UNIQUE INDEX',
      'CREATE INDEX',
      'index pets_by_birth: the database has pets (born), the schema has pets (born) unique',
    ],
    [
      'pets (born)',
      'pets (born DESC)',
      'index pets_by_birth: the database has pets (born desc) unique, the schema has pets (born) unique',
    ],
    [
      "(name, born) WHERE state = 'awake'",
      '(name, born)',
      "index pets_awake: the database has pets (name, born), the schema has pets (name, born) where state = 'awake'",
    ],
    [
      "WHERE state = 'awake'",
      "WHERE state = 'asleep'",
      "index pets_awake: the database has pets (name, born) where state = 'asleep', the schema has pets (name, born) where state = 'awake'",
    ],
    [
      'ON DELETE CASCADE',
      '',
      'foreign key pets (owner_id) -> owners (id): the database has on update no action, on delete no action, the schema has on update no action, on delete cascade',
    ],
    [
      'REFERENCES owners (id) ON DELETE CASCADE',
      '',
      'foreign key pets (owner_id) -> owners (id): the database has nothing, the schema has on update no action, on delete cascade',
    ],
  ])('%s -> %s', (from, to, difference) => {
    expect(petSql).toContain(from)
    const drifted = migrated(petSql.replace(from, to))
    expect(allDifferences(drifted, [owners, pets])).toEqual([difference])
  })
})

test('a row goes in and comes out with the types that the schema promises', () => {
  const orm = drizzle(migrated(migrationSql()))
  const appId = 1 as AppId
  const realmId = 2 as RealmId
  const app: schema.AppRow = {
    id: appId,
    name: 'Demo',
    slug: 'demo',
    keyPrefix: 'demo',
    welcomeGrant: 5,
    rateLimitPerUser: 30,
    rateLimitPerApp: 1000,
    isEnabled: false,
    createdAt: 1,
    updatedAt: 1,
    strategy: 'balanced',
    timeZone: 'Europe/Paris',
    monthlyBudgetMicroUsd: 5_000_000,
    budgetAction: 'warn',
    lowBalanceThreshold: null,
  }
  const key: schema.ApiKeyRow = {
    id: 3 as KeyId,
    realmId,
    kind: 'publishable',
    hash: Buffer.from([0, 255, 128]),
    display: 'demo_test_pk_abcd',
    scopes: null,
    createdAt: 1,
    lastUsedAt: null,
    expiresAt: null,
    revokedAt: null,
  }
  orm.insert(schema.apps).values(app).run()
  orm
    .insert(schema.realms)
    .values({ id: realmId, appId, mode: 'test', webhookSecretSealed: '' })
    .run()
  orm.insert(schema.apiKeys).values(key).run()
  expect(orm.select().from(schema.apps).all()).toEqual([app])
  expect(orm.select().from(schema.apiKeys).all()).toEqual([key])
})

function migrationSql(): string {
  return readdirSync(MIGRATIONS)
    .filter(file => file.endsWith('.sql'))
    .sort()
    .map(file => readFileSync(join(MIGRATIONS, file), 'utf8'))
    .join(`\n${BREAKPOINT}\n`)
}

function migrated(sql: string): Database {
  const database = new Database(':memory:', { strict: true })
  for (const statement of sql.split(BREAKPOINT)) database.run(statement)
  return database
}

function allDifferences(database: Database, tables: SQLiteTable[]): string[] {
  return [
    ...differences(tablesOf(database), tableFacts(tables)),
    ...differences(columnsOf(database), columnFacts(tables)),
    ...differences(closedSetsOf(database), closedSetFacts(tables)),
    ...differences(indexesOf(database), indexFacts(tables)),
    ...differences(foreignKeysOf(database), foreignKeyFacts(tables)),
  ]
}

function differences(database: Facts, schemaFacts: Facts): string[] {
  const names = new Set([...database.keys(), ...schemaFacts.keys()])
  const result: string[] = []
  for (const name of names) {
    const there = database.get(name) ?? 'nothing'
    const here = schemaFacts.get(name) ?? 'nothing'
    if (there !== here) result.push(`${name}: the database has ${there}, the schema has ${here}`)
  }
  return result.sort()
}

// What the database says.

function tableList(database: Database): { name: string; strict: number }[] {
  return database
    .query<{ name: string; strict: number }, [string]>(
      `SELECT name, strict FROM pragma_table_list
       WHERE schema = 'main' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name <> ?`,
    )
    .all(BOOKKEEPING)
}

function tablesOf(database: Database): Facts {
  return new Map(
    tableList(database).map(({ name, strict }) => [
      `table ${name}`,
      strict === 1 ? 'strict' : 'not strict',
    ]),
  )
}

type TableColumn = {
  name: string
  type: string
  notnull: number
  dflt_value: string | null
  pk: number
}

function columnsOf(database: Database): Facts {
  const facts: Facts = new Map()
  // xinfo also lists generated columns, which table_info hides.
  const columns = database.query<TableColumn, [string]>('SELECT * FROM pragma_table_xinfo(?)')
  for (const { name: table } of tableList(database)) {
    for (const column of columns.all(table)) {
      // A key of a STRICT table is never null, but SQLite does not say so of a row id.
      const isNotNull = column.notnull === 1 || column.pk > 0
      facts.set(
        `column ${table}.${column.name}`,
        describeColumn(column.type, isNotNull, column.pk, column.dflt_value),
      )
    }
  }
  return facts
}

function closedSetsOf(database: Database): Facts {
  const facts: Facts = new Map()
  const source = database.query<{ sql: string }, [string]>(
    "SELECT sql FROM sqlite_schema WHERE type = 'table' AND name = ?",
  )
  for (const { name: table } of tableList(database)) {
    const sql = oneLine(source.get(table)?.sql ?? '')
    for (const [, column, words] of sql.matchAll(/CHECK \( ?(\w+) IN \(([^)]*)\) ?\)/g)) {
      facts.set(`closed set ${table}.${column}`, describeSet((words ?? '').split(/, ?/)))
    }
  }
  return facts
}

type TableIndex = {
  name: string
  unique: number
  origin: 'c' | 'u' | 'pk'
  partial: number
  sql: string | null
}

function indexesOf(database: Database): Facts {
  const facts: Facts = new Map()
  const indexes = database.query<TableIndex, [string]>(
    'SELECT list.*, made.sql FROM pragma_index_list(?) list JOIN sqlite_schema made ON made.name = list.name',
  )
  const columns = database.query<{ name: string | null; desc: number }, [string]>(
    'SELECT name, desc FROM pragma_index_xinfo(?) WHERE key = 1 ORDER BY seqno',
  )
  for (const { name: table } of tableList(database)) {
    for (const index of indexes.all(table)) {
      const names = columns
        .all(index.name)
        .map(column => (column.name ?? '<expression>') + (column.desc === 1 ? ' desc' : ''))
      const where = index.partial === 1 ? oneLine(index.sql ?? '').split(' WHERE ')[1] : undefined
      // The index behind a primary key is among the columns' facts.
      if (index.origin === 'u') facts.set(`unique ${table} (${names.join(', ')})`, 'a constraint')
      if (index.origin === 'c') {
        facts.set(`index ${index.name}`, describeIndex(table, names, index.unique === 1, where))
      }
    }
  }
  return facts
}

type TableReference = {
  id: number
  table: string
  from: string
  to: string | null
  on_update: string
  on_delete: string
}

function foreignKeysOf(database: Database): Facts {
  const facts: Facts = new Map()
  const references = database.query<TableReference, [string]>(
    'SELECT * FROM pragma_foreign_key_list(?) ORDER BY id, seq',
  )
  for (const { name: table } of tableList(database)) {
    const byId = Map.groupBy(references.all(table), reference => reference.id)
    for (const [first, ...rest] of byId.values()) {
      if (!first) continue
      const columns = [first, ...rest]
      const from = columns.map(column => column.from)
      const to = columns.map(column => column.to ?? '<primary key>')
      facts.set(
        `foreign key ${describeReference(table, from, first.table, to)}`,
        describeActions(first.on_update, first.on_delete),
      )
    }
  }
  return facts
}

// What the schema says.

function tableFacts(tables: SQLiteTable[]): Facts {
  // Drizzle has no word for STRICT: that every table is, is what we ask of the database.
  return new Map(tables.map(table => [`table ${getTableConfig(table).name}`, 'strict']))
}

function columnFacts(tables: SQLiteTable[]): Facts {
  const facts: Facts = new Map()
  for (const { name: table, columns, primaryKeys } of tables.map(getTableConfig)) {
    const key = [
      ...columns.filter(column => column.primary),
      ...primaryKeys.flatMap(composite => composite.columns),
    ].map(column => column.name)
    for (const column of columns) {
      facts.set(
        `column ${table}.${column.name}`,
        describeColumn(
          column.getSQLType().toUpperCase(),
          column.notNull,
          key.indexOf(column.name) + 1,
          defaultOf(column),
        ),
      )
    }
  }
  return facts
}

function misnamedProperties(table: SQLiteTable): string[] {
  return Object.entries(getTableColumns(table))
    .filter(([property, column]) => property !== camelCase(column.name))
    .map(([property, column]) => {
      return `property ${property} of column ${getTableConfig(table).name}.${column.name}`
    })
}

function closedSetFacts(tables: SQLiteTable[]): Facts {
  const facts: Facts = new Map()
  for (const { name: table, columns } of tables.map(getTableConfig)) {
    for (const column of columns) {
      const words =
        column.columnType === 'SQLiteBoolean' ? ['0', '1'] : column.enumValues?.map(quote)
      if (words) facts.set(`closed set ${table}.${column.name}`, describeSet(words))
    }
  }
  return facts
}

function indexFacts(tables: SQLiteTable[]): Facts {
  const facts: Facts = new Map()
  for (const { name: table, columns, indexes, uniqueConstraints } of tables.map(getTableConfig)) {
    for (const column of columns) {
      if (column.isUnique) facts.set(`unique ${table} (${column.name})`, 'a constraint')
    }
    for (const constraint of uniqueConstraints) {
      facts.set(`unique ${table} (${namesOf(constraint.columns)})`, 'a constraint')
    }
    for (const { config } of indexes) {
      const names = config.columns.map(column => (is(column, SQL) ? '<expression>' : column.name))
      const where = config.where && textOf(config.where)
      facts.set(`index ${config.name}`, describeIndex(table, names, config.unique, where))
    }
  }
  return facts
}

function foreignKeyFacts(tables: SQLiteTable[]): Facts {
  const facts: Facts = new Map()
  for (const { name: table, foreignKeys } of tables.map(getTableConfig)) {
    for (const key of foreignKeys) {
      const { columns, foreignTable, foreignColumns } = key.reference()
      const from = columns.map(column => column.name)
      const to = foreignColumns.map(column => column.name)
      facts.set(
        `foreign key ${describeReference(table, from, getTableConfig(foreignTable).name, to)}`,
        describeActions(key.onUpdate ?? 'no action', key.onDelete ?? 'no action'),
      )
    }
  }
  return facts
}

function defaultOf({ default: value }: SQLiteColumn): string | null {
  // `undefined` also where Drizzle fills a value in by itself: the database knows nothing of that.
  if (value === undefined || value === null) return null
  if (is(value, SQL)) return textOf(value)
  return typeof value === 'string' ? quote(value) : String(Number(value))
}

/** SQL as a migration would write it. A bound value stays a `?`, which no partial index can have. */
function textOf(sql: SQL): string {
  return oneLine(new SQLiteSyncDialect().sqlToQuery(sql, 'indexes').sql).replaceAll('"', '')
}

function namesOf(columns: SQLiteColumn[]): string {
  return columns.map(column => column.name).join(', ')
}

// The words that both sides use.

function describeColumn(
  type: string,
  isNotNull: boolean,
  placeInKey: number,
  defaultSql: string | null,
): string {
  const key = placeInKey > 0 ? ` primary key ${placeInKey}` : ''
  const fallback = defaultSql === null ? '' : ` default ${defaultSql}`
  return `${type} ${isNotNull ? 'not null' : 'nullable'}${key}${fallback}`
}

function describeIndex(table: string, columns: string[], isUnique: boolean, where?: string) {
  const unique = isUnique ? ' unique' : ''
  return `${table} (${columns.join(', ')})${unique}${where ? ` where ${where}` : ''}`
}

function describeReference(table: string, from: string[], parent: string, to: string[]): string {
  return `${table} (${from.join(', ')}) -> ${parent} (${to.join(', ')})`
}

function describeActions(onUpdate: string, onDelete: string): string {
  return `on update ${onUpdate.toLowerCase()}, on delete ${onDelete.toLowerCase()}`
}

function describeSet(words: string[]): string {
  return words.toSorted().join(', ')
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "''")}'`
}

function camelCase(name: string): string {
  return name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase())
}

function oneLine(sql: string): string {
  return sql.replace(/\s+/g, ' ').trim()
}
