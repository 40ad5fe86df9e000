/**
 * The tables of `migrations/`, which are the truth, as TypeScript sees them; a test keeps the two alike.
 * CHECKs and triggers are in the SQL only. Times (`*At`) are integer milliseconds, money is integer
 * micro-USD, tokens are integers. JSON columns are plain text here: a row may be older than the code that
 * reads it, so the reader parses them with a schema of its own. A set is an enum here exactly where the
 * SQL closes it by a CHECK; other words (kinds, types, codes) are checked where they are inserted.
 */
export * from './apps'
export * from './catalog'
export * from './files'
export * from './hub'
export * from './jobs'
export * from './ledger'
export * from './plans'
export * from './tasks'
export * from './usage'
export * from './users'
export * from './webhooks'
