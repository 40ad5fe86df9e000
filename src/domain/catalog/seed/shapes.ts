/** Aspect ratios, and what they are called where vendors want pixels or words. The first is the default. */
export const WIDE = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3', '21:9']
export const USUAL = ['1:1', '16:9', '9:16', '4:3', '3:4', '3:2', '2:3']
export const GOOGLE = ['1:1', '2:3', '3:2', '3:4', '4:3', '4:5', '5:4', '9:16', '16:9', '21:9']
export const OPENAI = ['1:1', '3:2', '2:3', '16:9', '9:16']
export const LUMA = ['1:1', '16:9', '9:16', '4:3', '3:4', '21:9']
export const FILM = ['16:9', '9:16', '1:1']
export const SCREEN = ['16:9', '9:16']

/** About a megapixel, which fal counts as one, in steps of 16 and exactly in the ratio. */
export const MEGAPIXEL = {
  '1:1': { width: 1_024, height: 1_024 },
  '16:9': { width: 1_280, height: 720 },
  '9:16': { width: 720, height: 1_280 },
  '4:3': { width: 1_152, height: 864 },
  '3:4': { width: 864, height: 1_152 },
  '3:2': { width: 1_248, height: 832 },
  '2:3': { width: 832, height: 1_248 },
  '21:9': { width: 1_344, height: 576 },
}

/** Four megapixels: what Seedream makes by default, and its later versions at least. */
export const FOUR_MEGAPIXELS = {
  '1:1': { width: 2_048, height: 2_048 },
  '16:9': { width: 2_560, height: 1_440 },
  '9:16': { width: 1_440, height: 2_560 },
  '4:3': { width: 2_304, height: 1_728 },
  '3:4': { width: 1_728, height: 2_304 },
  '3:2': { width: 2_496, height: 1_664 },
  '2:3': { width: 1_664, height: 2_496 },
  '21:9': { width: 3_136, height: 1_344 },
}

/** The three sizes of GPT Image 1.5; its nearest to a screen is 3:2. */
export const THREE_SIZES = {
  '1:1': '1024x1024',
  '3:2': '1536x1024',
  '2:3': '1024x1536',
  '16:9': '1536x1024',
  '9:16': '1024x1536',
}

/** Later GPT Image models take any size in steps of 16. */
export const FREE_SIZES = { ...THREE_SIZES, '16:9': '1536x864', '9:16': '864x1536' }
export const FREE_PIXELS = {
  '1:1': { width: 1_024, height: 1_024 },
  '3:2': { width: 1_536, height: 1_024 },
  '2:3': { width: 1_024, height: 1_536 },
  '16:9': { width: 1_536, height: 864 },
  '9:16': { width: 864, height: 1_536 },
}

/** The size of Runway's pictures for which it asks five credits and not eight. */
export const RUNWAY_720P = {
  '1:1': '720:720',
  '16:9': '1280:720',
  '9:16': '720:1280',
  '4:3': '960:720',
  '3:4': '720:960',
  '21:9': '1680:720',
}
