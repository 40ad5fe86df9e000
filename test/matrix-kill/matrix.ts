import { table } from '@test/e2e/table'
import type { Finding } from '@test/long/figures'
import { type SeededRandom, seededRandom } from '@test/queue/seeded-random'
import { type Cell, type Kill, killOnce } from './cell'
import { prepareFolder } from './folder'
import { momentsOf, PLACES } from './moments'
import { OFFERS } from './offers'

/** A process waits for another one's start most of its time, and the machine has few cores. */
const AT_ONCE = 2
const ROUNDS = 2

/** Every moment of every cell. */
export function everyCell(): Cell[] {
  return OFFERS.flatMap(offer =>
    PLACES.flatMap(place => momentsOf(offer, place).map(moment => ({ offer, place, moment }))),
  )
}

/** One cell of each offer, and so of each adapter, in each place as often: others with another seed. */
export function someCells(seed: number): Cell[] {
  const random = seededRandom(seed)
  const inTurn = OFFERS.map((_, index) => PLACES[index % PLACES.length] ?? PLACES[0])
  const places = shuffled(inTurn, random)
  return OFFERS.map((offer, index) => {
    const place = places[index] ?? PLACES[0]
    return { offer, place, moment: random.pick(momentsOf(offer, place)) }
  })
}

/** Kills in every one of the cells, a few at a time. */
export async function killIn(cells: readonly Cell[]): Promise<Kill[]> {
  const prepared = await prepareFolder()
  const left = [...cells]
  const kills: Kill[] = []
  const worker = async () => {
    for (let cell = left.shift(); cell; cell = left.shift()) {
      kills.push(await killOnce(prepared, cell))
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, worker))
  return kills
}

export const problemsOf = (kills: readonly Kill[]): string[] =>
  kills.flatMap(({ cell: { offer, place, moment }, problems }) =>
    problems.map(problem => `${offer.name}, ${place} (${moment.name}): ${problem}`),
  )

/** In each cell what became of the jobs, and how many starts each of them had at its vendor. */
export function killTable(kills: readonly Kill[]): string {
  const rows = OFFERS.map(offer => [
    offer.name,
    ...PLACES.map(place =>
      told(kills.filter(k => k.cell.offer === offer && k.cell.place === place)),
    ),
  ])
  return table(['killed at', ...PLACES], rows)
}

function told(kills: readonly Kill[]): string {
  if (kills.length === 0) return '-'
  const good = kills.filter(({ problems }) => problems.length === 0)
  const words = (['result', 'refund'] as const).flatMap(end => {
    const count = good.filter(kill => kill.end === end).length
    return count === 0 ? [] : [`${count} ${end}`]
  })
  if (good.length < kills.length) words.push(`${kills.length - good.length} WRONG`)
  const starts = [...new Set(kills.map(kill => kill.starts))].sort()
  return `${words.join(', ')}; starts ${starts.join(', ')}`
}

/** The proof at its full size: every moment of every cell, several times and in another order each time. */
export async function measureKillMatrix(details: (text: string) => void): Promise<Finding> {
  const random = seededRandom(ROUNDS)
  const cells = Array.from({ length: ROUNDS }, () => shuffled(everyCell(), random)).flat()
  const kills = await killIn(cells)
  const problems = problemsOf(kills)
  details(killTable(kills))
  for (const problem of problems.slice(0, MOST_TOLD)) details(problem)
  const most = Math.max(...kills.map(({ starts }) => starts))
  return {
    value: `${kills.length} kills in ${OFFERS.length * PLACES.length} cells, at most ${most} start each, ${problems.length} problems`,
    isGood: kills.length === cells.length && problems.length === 0,
  }
}

const MOST_TOLD = 20

function shuffled<T>(things: readonly T[], random: SeededRandom): T[] {
  return things
    .map(thing => ({ thing, at: random.next() }))
    .sort((a, b) => a.at - b.at)
    .map(({ thing }) => thing)
}
