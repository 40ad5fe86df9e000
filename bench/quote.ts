/**
 * What a quote costs: the plain price as one multiplication, as `quote` answers it where there is no rule, and
 * by a rule of every kind of row. `bun bench/quote.ts [rounds]`.
 */
import { rmSync } from 'node:fs'
import { readConfig } from '@/base/config'
import type { RealmId } from '@/base/ids'
import { createLog } from '@/base/log'
import { checkInput, findModel } from '@/domain/catalog'
import { finalPrice, quote, removeRule, setRule } from '@/domain/pricing'
import { plainQuote } from '@/domain/pricing/quote'
import { openHub } from '@/hub'
import { benchFolder } from './servers'

const rounds = Number(process.argv[2] ?? 7)
const TIMES = 200_000
const folder = await benchFolder()
const hub = await openHub({
  config: readConfig({ DATA_DIR: folder.path }),
  log: createLog({
    level: 'error',
    wall: Date.now,
    write: text => void process.stderr.write(text),
  }),
  exclusive: 'bench',
  onFatal: error => {
    throw error
  },
})
const { deps } = hub
const shell = { kind: 'shell', id: 'bench' } as const
const realm = { id: 4_711 as RealmId }

function modelOf(name: string) {
  const model = findModel(deps, name)
  if (!model) throw new Error(`the catalogue has no ${name}`)
  return model
}

/** Microseconds a call: the best of the rounds, which the others of the machine disturbed least. */
function measure(act: () => unknown, times = TIMES): number {
  let best = Number.POSITIVE_INFINITY
  for (let round = 0; round < rounds; round++) {
    const startedAt = performance.now()
    for (let i = 0; i < times; i++) act()
    best = Math.min(best, ((performance.now() - startedAt) * 1_000) / times)
  }
  return best
}

const say = (what: string, us: number) => console.log(`${what.padEnd(52)} ${us.toFixed(2)} us`)

const picture = modelOf('gpt-image-1.5')
const input = checkInput(deps, picture, 'live', {
  prompt: 'A futuristic city at sunset',
  quality: 'high',
  aspect_ratio: '16:9',
  num_outputs: 2,
})
const plain = measure(() => plainQuote(picture, input))
say('one multiplication', plain)
const without = measure(() => quote(deps, { realm, model: picture, input }))
say('quote where there is no rule', without)
say('  more than the multiplication', without - plain)

const worked = {
  per_output: 5,
  factors: [
    { of: 'quality', table: { low: 1, medium: '1.5', high: '2.0' }, absent: 1 },
    { of: 'aspect_ratio', table: { '1:1': 1 }, else: '1.5' },
    { name: 'complexity', by: '1.5' },
    { name: 'margin', by: '1.2' },
    { of: 'num_outputs', table: { '1': 1 }, else: '0.9' },
  ],
}
await setRule(deps, shell, { realm: null, subject: 'model:gpt-image-1.5', rule: worked })
say(
  'quote by the worked case of pictures',
  measure(() => quote(deps, { realm, model: picture, input }), 20_000),
)
await removeRule(deps, shell, { realm: null, subject: 'model:gpt-image-1.5' })

const text = modelOf('gpt-6-luna')
const asked = checkInput(deps, text, 'live', { prompt: 'A caption', max_output_tokens: 500 })
const everything = {
  base: '0.5',
  units: [
    { of: 'input_tokens', price: '0.25', each: 1_000 },
    { of: 'output_tokens', price: 2, each: 1_000 },
    { of: 'compute_seconds', price: '0.01', max: 60 },
    { of: 'images', price: '0.5', free: 1 },
  ],
  factors: Array.from({ length: 6 }, (_, i) => ({ name: `factor ${i}`, by: `1.${i}00001` })),
  growth: [{ of: 'images', by: '1.050001' }],
  additions: [{ of: 'images', price: '0.333333', each: 7 }],
  minimum: 1,
  maximum: 1_000_000,
}
await setRule(deps, shell, { realm: null, subject: 'model:gpt-6-luna', rule: everything })
say(
  'quote by a rule of 12 rows, 3 of them measured',
  measure(() => quote(deps, { realm, model: text, input: asked }), 20_000),
)
const frozen = quote(deps, { realm, model: text, input: asked })
const usage = { inputTokens: 321, outputTokens: 123, seconds: 1.25 }
say(
  'its price at the end',
  measure(() => finalPrice(frozen, { outputs: 1, numOutputs: 1, usage }), 20_000),
)
await hub.close()
rmSync(folder.path, { recursive: true, force: true })
