import { expect, test } from 'bun:test'
import { createRegistry } from '@/providers/registry'
import type { Provider } from '@/providers/spec'

function provider(name: string): Provider {
  return { name, start: async () => ({ state: 'done', outputs: [] }) }
}

test('finds providers by name and keeps their order', () => {
  const first = provider('b')
  const registry = createRegistry([first, provider('a')])
  expect(registry.get('b')).toBe(first)
  expect(registry.get('c')).toBeNull()
  expect(registry.get('__proto__')).toBeNull()
  expect(registry.names()).toEqual(['b', 'a'])
})

test('refuses two of one name', () => {
  expect(() => createRegistry([provider('a'), provider('a')])).toThrow('two providers')
})
