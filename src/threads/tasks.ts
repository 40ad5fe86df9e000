import { draw } from './draw'

/**
 * What a thread can do. A new kind is one line here: a function of one payload, both the payload
 * and the result made of what structured cloning takes (no functions, no class instances).
 */
export const tasks = { draw } as const

export type ThreadKind = keyof typeof tasks
export type ThreadPayload<K extends ThreadKind> = Parameters<(typeof tasks)[K]>[0]
export type ThreadResult<K extends ThreadKind> = Awaited<ReturnType<(typeof tasks)[K]>>

export type ThreadRequest = { id: number; kind: ThreadKind; payload: ThreadPayload<ThreadKind> }
export type ThreadAnswer =
  | { id: number; ok: true; result: unknown }
  | { id: number; ok: false; name: string; message: string }
