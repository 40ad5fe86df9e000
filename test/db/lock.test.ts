import { expect, test } from 'bun:test'
import { join } from 'node:path'
import { temporaryFolder } from '@test/support/test-db'
import { FolderInUse, takeLock } from '@/db/lock'

const options = { waitMs: 0, isoNow: () => '2026-01-15T10:30:00Z' }

/** A process that takes the lock, says so, and lives until killed. */
async function holdElsewhere(folder: string): Promise<Bun.Subprocess> {
  const child = Bun.spawn(['bun', join(import.meta.dir, '../support/hold-lock.ts'), folder], {
    stdout: 'pipe',
  })
  const first = await child.stdout.getReader().read()
  expect(new TextDecoder().decode(first.value)).toBe('held\n')
  return child
}

test('a second process is refused and told who holds the folder', async () => {
  const folder = temporaryFolder()
  const child = await holdElsewhere(folder)
  const refusal = takeLock(folder, 'serve', options)
  await expect(refusal).rejects.toBeInstanceOf(FolderInUse)
  await expect(takeLock(folder, 'serve', options)).rejects.toThrow(`pid ${child.pid}`)
  child.kill('SIGKILL')
  await child.exited
})

test('kill -9 frees the lock at once', async () => {
  const folder = temporaryFolder()
  const child = await holdElsewhere(folder)
  child.kill('SIGKILL')
  await child.exited
  const lock = await takeLock(folder, 'serve', options)
  lock.release()
})

test('a waiting process gets the lock when it is released', async () => {
  const folder = temporaryFolder()
  const first = await takeLock(folder, 'serve', options)
  const naps: number[] = []
  const second = await takeLock(folder, 'serve', {
    ...options,
    waitMs: 30_000,
    sleep: async ms => {
      naps.push(ms)
      if (naps.length === 3) first.release()
    },
  })
  expect(naps).toHaveLength(3)
  second.release()
})
