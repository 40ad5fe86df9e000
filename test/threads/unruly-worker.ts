import type { ThreadAnswer, ThreadRequest } from '@/threads/tasks'

/** A thread that does what the prompt says, for what no good task does. */
declare const self: Worker

self.onmessage = async (event: MessageEvent<ThreadRequest>) => {
  const { id, payload } = event.data
  const answer = (message: ThreadAnswer) => self.postMessage(message)
  switch (payload.prompt) {
    case 'throw':
      return answer({ id, ok: false, name: 'RangeError', message: 'no such size' })
    case 'crash':
      throw new Error('out of its mind')
    case 'exit':
      process.exit(7)
      break
    case 'spin':
      for (;;);
    case 'never answer':
      return
    case 'two answers':
      answer({ id, ok: true, result: 'first' })
      return answer({ id, ok: true, result: 'second' })
    default:
      answer({ id, ok: true, result: payload.prompt })
  }
}
