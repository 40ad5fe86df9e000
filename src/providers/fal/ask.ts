import { createAsker } from '../http'

export const { ask, askAbout } = createAsker('fal', apiKey => ({
  accept: 'application/json',
  authorization: `Key ${apiKey}`,
}))
