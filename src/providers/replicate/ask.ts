import { createAsker } from '../http'

export const { ask, askAbout } = createAsker('Replicate', apiKey => ({
  authorization: `Bearer ${apiKey}`,
}))
