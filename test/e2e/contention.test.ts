import { describe, expect, test } from 'bun:test'
import { buyAtOnce, openMarket, orderAndHangUp, orderOnce, shellAtWork } from './contention'

const TIMEOUT_MS = 60_000

describe('many at once over real HTTP', () => {
  test(
    'of 200 orders for 50 tokens exactly 50 are taken',
    async () => {
      await using market = await openMarket(50)
      expect(await buyAtOnce(market.api, 200)).toEqual({ accepted: 50, refused: 150, others: [] })
      expect(await market.problems({ holds: 50, granted: 0 })).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    '100 calls with one key are one job',
    async () => {
      await using market = await openMarket(50)
      const { statuses, ids, firsts } = await orderOnce(market.api, 100, 'the only one')
      expect([statuses, ids.length, firsts]).toEqual([[202], 1, 1])
      expect(await market.problems({ holds: 1, granted: 0 })).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'both hold while other processes grant tokens and revoke keys',
    async () => {
      await using market = await openMarket(50)
      let isOver = false
      const shell = shellAtWork(market, commands => isOver && commands >= 6)
      const once = await orderOnce(market.api, 100, 'the only one')
      const bought = await buyAtOnce(market.api, 200)
      isOver = true
      const { granted, problems } = await shell
      const rest = await buyAtOnce(market.api, granted + 60)

      expect([once.statuses, once.ids.length, once.firsts]).toEqual([[202], 1, 1])
      expect([...bought.others, ...rest.others, ...problems]).toEqual([])
      expect(1 + bought.accepted + rest.accepted).toBe(50 + granted)
      expect(await market.problems({ holds: 50 + granted, granted })).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'a caller who hangs up and calls again has ordered once',
    async () => {
      await using market = await openMarket(1_000)
      const { taken, others } = await orderAndHangUp(market, 100, 7)
      expect(others).toEqual([])
      // Both happened: calls that had been taken when the socket went, and calls that never arrived whole.
      expect(taken).toBeGreaterThan(0)
      expect(taken).toBeLessThan(100)
      expect(await market.problems({ holds: 100, granted: 0 })).toEqual([])
    },
    TIMEOUT_MS,
  )

  test(
    'of 200 callers who hang up and call again exactly as many are served as there are tokens',
    async () => {
      await using market = await openMarket(50)
      let isOver = false
      const shell = shellAtWork(market, () => isOver)
      const { others } = await orderAndHangUp(market, 200, 8)
      isOver = true
      const { granted, problems } = await shell
      const rest = await buyAtOnce(market.api, granted + 10)

      expect([...problems, ...rest.others]).toEqual([])
      expect(new Set(others)).toEqual(new Set(['402']))
      expect(200 - others.length + rest.accepted).toBe(50 + granted)
      expect(await market.problems({ holds: 50 + granted, granted })).toEqual([])
    },
    TIMEOUT_MS,
  )
})
