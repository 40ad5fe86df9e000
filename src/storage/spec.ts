/** Bytes by key. A store knows no file row, no owner and no expiry; those are the files noun's. */
export type Storage = {
  name: string
  /** All or nothing: after it resolves the bytes are on the disk, before it nothing is readable. */
  put(key: string, bytes: Uint8Array): Promise<void>
  /** Null when there is none. `end` is inclusive, as in a Range header. */
  get(key: string, range?: { start: number; end: number }): Promise<Blob | null>
  size(key: string): Promise<number | null>
  /** Deleting what is not there is no error. */
  delete(key: string): Promise<void>
  /** Throws when the store cannot be written to. */
  check(): Promise<void>
}
