import { afterEach, beforeEach, describe, expect, test } from 'bun:test'
import { testDb, testLog } from '@test/support/test-db'
import { z } from 'zod'
import { createCache } from '@/base/cache'
import { write } from '@/db/write'
import { type Setting, saveSetting, settingOf } from '@/domain/settings'

const COLOUR: Setting<{ red: number }> = {
  name: 'test.colour',
  schema: z.strictObject({ red: z.int().min(0) }),
  usual: { red: 1 },
  description: 'A colour.',
}

let deps: ReturnType<typeof open>

function open() {
  return { db: testDb(), cache: createCache(), log: testLog() }
}

beforeEach(() => {
  deps = open()
})
afterEach(() => deps.db.close())

async function save(value: { red: number } | null) {
  await write(deps.db, tx => saveSetting(tx, COLOUR, value))
  deps.cache.clear()
}

function store(text: string) {
  deps.db.sqlite.run(
    `INSERT INTO settings (name, value, updated_at) VALUES (?1, ?2, 1)
     ON CONFLICT (name) DO UPDATE SET value = ?2`,
    [COLOUR.name, text],
  )
  deps.cache.clear()
}

describe('a setting', () => {
  test('is the usual until somebody changes it, and again when it is taken back', async () => {
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
    await save({ red: 7 })
    expect(settingOf(deps, COLOUR)).toEqual({ red: 7 })
    await save({ red: 8 })
    expect(settingOf(deps, COLOUR)).toEqual({ red: 8 })
    await save(null)
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
    await save(null)
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
  })

  test('is one row, with the time of its change', async () => {
    await save({ red: 7 })
    await save({ red: 9 })
    const found = deps.db.sqlite.query(`SELECT value, updated_at FROM settings WHERE name = ?`)
    const [row, ...others] = found.all(COLOUR.name) as { value: string; updated_at: number }[]
    expect(others).toEqual([])
    expect(JSON.parse(row?.value ?? '')).toEqual({ red: 9 })
    expect(row?.updated_at).toBeGreaterThan(0)
  })

  test('is read once and kept until the cache is emptied', async () => {
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
    await write(deps.db, tx => saveSetting(tx, COLOUR, { red: 7 }))
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
    deps.cache.clear()
    expect(settingOf(deps, COLOUR)).toEqual({ red: 7 })
  })

  test('does not change with a write that is undone', async () => {
    const undone = write(deps.db, tx => {
      saveSetting(tx, COLOUR, { red: 7 })
      throw new Error('undone')
    })
    await expect(undone).rejects.toThrow('undone')
    expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
  })

  test.each(['{"red": -1}', '{"red": "x"}', '{"red": 1, "blue": 2}', '{}', 'null', '{"red":', ''])(
    'that cannot be read leaves the usual, and says so: %s',
    text => {
      store(text)
      expect(settingOf(deps, COLOUR)).toEqual({ red: 1 })
      const warnings = deps.log.lines().filter(({ level }) => level === 'warn')
      expect(warnings).toMatchObject([{ setting: COLOUR.name }])
      // Once, not at every look.
      settingOf(deps, COLOUR)
      expect(deps.log.lines().filter(({ level }) => level === 'warn').length).toBe(1)
    },
  )

  test('knows nothing of others', async () => {
    await save({ red: 7 })
    expect(settingOf(deps, { ...COLOUR, name: 'test.other' })).toEqual({ red: 1 })
  })
})
