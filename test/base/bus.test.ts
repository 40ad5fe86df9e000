import { describe, expect, test } from 'bun:test'
import { createBus } from '@/base/bus'

describe('the bus', () => {
  test('tells everybody who listens to a topic, and nobody else, in order', () => {
    const bus = createBus()
    const heard: string[] = []
    bus.subscribe('job.changed', ({ jobId }) => void heard.push(`first ${jobId}`))
    bus.subscribe('job.changed', ({ jobId }) => void heard.push(`second ${jobId}`))
    bus.subscribe('task.scheduled', () => void heard.push('another topic'))
    bus.publish('job.changed', { jobId: 1 })
    bus.publish('job.changed', { jobId: 2 })
    expect(heard).toEqual(['first 1', 'second 1', 'first 2', 'second 2'])
  })

  test('tells nobody who has stopped listening, and stopping twice is no harm', () => {
    const bus = createBus()
    let heard = 0
    const stop = bus.subscribe('foreign.commit', () => void heard++)
    bus.publish('foreign.commit', null)
    stop()
    stop()
    bus.publish('foreign.commit', null)
    expect(heard).toBe(1)
  })

  test('lets a listener stop, or another begin, while it is told', () => {
    const bus = createBus()
    const heard: string[] = []
    const stop = bus.subscribe('foreign.commit', () => {
      heard.push('once')
      stop()
    })
    bus.subscribe('foreign.commit', () => void heard.push('always'))
    bus.publish('foreign.commit', null)
    bus.publish('foreign.commit', null)
    expect(heard).toEqual(['once', 'always', 'always'])
  })

  test('says nothing where nobody listens', () => {
    expect(() => createBus().publish('foreign.commit', null)).not.toThrow()
  })

  test('tells the others although one of them throws, and then lets the error out', () => {
    const bus = createBus()
    let heard = 0
    bus.subscribe('foreign.commit', () => {
      throw new Error('a broken listener')
    })
    bus.subscribe('foreign.commit', () => void heard++)
    expect(() => bus.publish('foreign.commit', null)).toThrow('a broken listener')
    expect(heard).toBe(1)
  })
})
