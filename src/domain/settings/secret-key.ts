import { randomBytes } from 'node:crypto'
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Config } from '@/base/config'
import { ROOT_KEY_BYTES, type Secrets } from '@/base/secrets'
import type { Db } from '@/db/open'

/** The database and the key do not belong together. The message tells the operator what to put back. */
export class SecretKeyError extends Error {
  override readonly name = 'SecretKeyError'
}

/**
 * The root key: SECRET_KEY, else the file in the data folder. One is made only with a new database:
 * beside an old one a new key would turn every sealed value and every link into noise, silently.
 */
export function loadSecretKey(
  config: Config,
  isNewDatabase: boolean,
): { key: Uint8Array; isNew: boolean } {
  if (config.secretKey) return { key: config.secretKey, isNew: false }
  const path = keyPath(config)
  if (existsSync(path)) {
    const key = Buffer.from(readFileSync(path, 'utf8').trim(), 'base64')
    if (key.length !== ROOT_KEY_BYTES) {
      throw new SecretKeyError(
        `${path} does not hold a key of 32 bytes; put back the original file`,
      )
    }
    return { key: new Uint8Array(key), isNew: false }
  }
  if (!isNewDatabase) {
    throw new SecretKeyError(
      `this database needs the SECRET_KEY it was made with, and neither SECRET_KEY nor ${path} is there; put it back`,
    )
  }
  const key = new Uint8Array(randomBytes(ROOT_KEY_BYTES))
  writeFileSync(path, `${Buffer.from(key).toString('base64')}\n`, { mode: 0o600 })
  chmodSync(path, 0o600)
  return { key, isNew: true }
}

const CHECKED = 'this database belongs to this key'

/**
 * Stores a check value at first, and from then on refuses a key that did not make this database. With the
 * old key as SECRET_KEY_PREVIOUS a new one takes over.
 */
export function proveSecretKey(db: Db, secrets: Secrets): void {
  const [check, ...previous] = secrets
    .hmacs('key-check', CHECKED)
    .map(bytes => bytes.toString('hex'))
  const row = db.sqlite.query('SELECT key_check FROM hub WHERE id = 1').get() as {
    key_check: string | null
  } | null
  if (!check || row?.key_check === check) return
  if (row?.key_check && !previous.includes(row.key_check)) {
    throw new SecretKeyError(
      'this database was made with another SECRET_KEY; put that one back, or name it in SECRET_KEY_PREVIOUS to replace it',
    )
  }
  db.sqlite.run('UPDATE hub SET key_check = ? WHERE id = 1', [check])
}

export function keyPath(config: Config): string {
  return join(config.dataDir, 'secret.key')
}
