import { createThreads } from '@/threads/pool'

/** A process that uses a thread and then has nothing more to do. */
const drawing = await createThreads().run('draw', {
  prompt: 'and then it ends',
  seed: 1,
  width: 64,
  height: 64,
  format: 'png',
  index: 0,
})
console.log(drawing.contentType)
