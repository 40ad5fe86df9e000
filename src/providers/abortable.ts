import { ProviderError } from './errors'
import type { ProviderContext } from './spec'

/**
 * The context with a fetch that ends with the signal. Whatever was under way when we stopped waiting may
 * have begun at the vendor, so it is `unknown_outcome`, also where nothing had left yet: who aborts asks
 * nobody for a second try.
 */
export function abortable(ctx: ProviderContext): ProviderContext {
  const { signal } = ctx
  return {
    ...ctx,
    fetch: async (url, init) => {
      try {
        const withSignal = { ...init, signal }
        return await ctx.fetch(url, withSignal)
      } catch (error) {
        if (!signal.aborted) throw error
        throw new ProviderError('unknown_outcome', 'we stopped waiting', { cause: error })
      }
    },
  }
}
