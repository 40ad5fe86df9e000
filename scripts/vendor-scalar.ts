/**
 * Renews the API reference's browser bundle: `bun scripts/vendor-scalar.ts 1.72.1`. The npm package brings
 * 263 packages and 270 MB for this one file, so the file itself is kept here, packed, with its origin.
 */
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sha256Hex } from '@/base/secrets'

const PACKAGE = '@scalar/api-reference'
const TARGET = join(import.meta.dir, '../src/http/docs')

const version = process.argv[2]
if (!version) throw new Error('usage: bun scripts/vendor-scalar.ts <version>')

const folder = mkdtempSync(join(tmpdir(), 'scalar-'))
await Bun.write(join(folder, 'package.json'), '{}')
const added = Bun.spawnSync(['bun', 'add', '--exact', `${PACKAGE}@${version}`], { cwd: folder })
if (added.exitCode !== 0) throw new Error(added.stderr.toString())

const bundle = await Bun.file(
  join(folder, 'node_modules', PACKAGE, 'dist/browser/standalone.js'),
).bytes()
const packed = Bun.gzipSync(bundle, { level: 9 })
await Bun.write(join(TARGET, 'scalar.js.gz'), packed)
await Bun.write(
  join(TARGET, 'scalar.json'),
  `${JSON.stringify(
    {
      package: PACKAGE,
      version,
      file: 'dist/browser/standalone.js',
      license: 'MIT',
      bundle_sha256: sha256Hex(bundle),
      packed_sha256: sha256Hex(packed),
    },
    null,
    2,
  )}\n`,
)
