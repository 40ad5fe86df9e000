import { createAsker } from '../http'

export const { ask, askAbout } = createAsker('defapi', apiKey => ({
  authorization: `Bearer ${apiKey}`,
}))
