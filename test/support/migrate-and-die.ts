import { migrate, readMigrations } from '@/db/migrate'
import { openTestDb } from './test-db'

// Run as a process of its own: migrates, and is killed right before the statement whose number it is given.
const [path = '', folder = '', at = ''] = process.argv.slice(2)
migrate(openTestDb(path), readMigrations(folder), step => {
  if (step === Number(at)) process.kill(process.pid, 'SIGKILL')
})
