import type { Json, ProviderInput } from '../spec'

/**
 * Our ratios as Runway writes them: a size. Every model has a list of its own; these are what the Gen-4
 * models take, and the route of any other names its own.
 */
export function ratiosOf({ kind, config }: ProviderInput): { [ratio: string]: Json } {
  return { ...(kind === 'video' ? VIDEO : PICTURE), ...config.aspect_ratios }
}

const VIDEO = {
  '16:9': '1280:720',
  '9:16': '720:1280',
  '4:3': '1104:832',
  '3:4': '832:1104',
  '1:1': '960:960',
  '21:9': '1584:672',
}

const PICTURE = {
  '16:9': '1920:1080',
  '9:16': '1080:1920',
  '4:3': '1440:1080',
  '3:4': '1080:1440',
  '1:1': '1080:1080',
  '21:9': '2112:912',
}
