import { takeLock } from '@/db/lock'

// Run as a process of its own: takes the lock of the folder named by its argument and never lets go.
await takeLock(process.argv[2] ?? '', 'serve', { waitMs: 0, isoNow: () => '2026-01-15T10:30:00Z' })
process.stdout.write('held\n')
await new Promise(() => setTimeout(() => {}, 60_000))
