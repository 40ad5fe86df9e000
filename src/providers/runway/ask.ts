import { createAsker } from '../http'

/** The form of the API that these schemas are written from. Runway wants it with every call. */
const API_VERSION = '2024-11-06'

export const { ask, askAbout } = createAsker('Runway', apiKey => ({
  accept: 'application/json',
  authorization: `Bearer ${apiKey}`,
  'x-runway-version': API_VERSION,
}))
