/** How the routes of a model are put in order; whoever cannot serve now is left out before. */
export const STRATEGIES = ['priority', 'cheapest', 'fastest', 'balanced', 'best'] as const
export type Strategy = (typeof STRATEGIES)[number]

export function isStrategy(text: string): text is Strategy {
  return STRATEGIES.some(strategy => strategy === text)
}
