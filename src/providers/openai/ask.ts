import { createAsker } from '../http'

export const { ask } = createAsker('openai', apiKey => ({ authorization: `Bearer ${apiKey}` }))
