import { ProviderError } from '../errors'
import { type FieldNames, mapInput, namesOf } from '../map-input'
import type { Json, ProviderInput } from '../spec'
import { readParams } from './params'
import type { Picture } from './pictures'

type Fields = { [key: string]: Json }

/**
 * The body of `generateContent`. A route's constants have the form of this body; our own fields come under
 * Google's names, and those that have none there are left out: Google refuses a name that it does not know.
 */
export function contentBody(input: ProviderInput, pictures: Picture[]): Fields {
  const params = readParams(input)
  if (input.prompt === null && pictures.length === 0) throw nothingAsked()
  const constants = input.config.constants ?? {}
  const generation = fieldsOf(constants.generationConfig)
  const ours = ourFields(input, CONTENT_NAMES)
  const imageConfig = { ...fieldsOf(generation.imageConfig), ...pick(ours, IMAGE_CONFIG) }
  const isText = input.kind === 'text'
  const text = input.prompt === null ? [] : [{ text: input.prompt }]
  return {
    ...constants,
    contents: [{ role: 'user', parts: [...text, ...pictures.map(inlineData => ({ inlineData }))] }],
    generationConfig: {
      ...(isText ? {} : { responseModalities: ['TEXT', 'IMAGE'] }),
      ...generation,
      ...params,
      ...pick(ours, GENERATION_CONFIG),
      ...(isText || Object.keys(imageConfig).length === 0 ? {} : { imageConfig }),
    },
  }
}

/** The body of `predictLongRunning`. A route's constants have its form; their `instances` count for nothing. */
export function videoBody(input: ProviderInput, pictures: Picture[], samples: number): Fields {
  const params = readParams(input)
  if (input.prompt === null && pictures.length === 0) throw nothingAsked()
  const constants = input.config.constants ?? {}
  return {
    ...constants,
    instances: [
      {
        ...(input.prompt === null ? {} : { prompt: input.prompt }),
        ...videoPictures(input, pictures),
      },
    ],
    parameters: {
      ...fieldsOf(constants.parameters),
      ...params,
      ...pick(ourFields(input, VIDEO_NAMES), PARAMETERS),
      ...(samples > 1 ? { sampleCount: samples } : {}),
    },
  }
}

/** For the cost, which is by the second; null where the vendor's own default is used. */
export function secondsOf(body: Fields): number | null {
  const { durationSeconds } = fieldsOf(body.parameters)
  return typeof durationSeconds === 'number' ? durationSeconds : null
}

/** Ours -> Google's. What is dropped here has no name there. */
const CONTENT_NAMES = {
  prompt: null,
  images: null,
  num_outputs: null,
  output_format: null,
  aspect_ratio: 'aspectRatio',
  resolution: 'imageSize',
  seed: 'seed',
  temperature: 'temperature',
  top_p: 'topP',
  max_output_tokens: 'maxOutputTokens',
}
const VIDEO_NAMES = {
  prompt: null,
  images: null,
  num_outputs: null,
  output_format: null,
  aspect_ratio: 'aspectRatio',
  resolution: 'resolution',
  duration_seconds: 'durationSeconds',
  negative_prompt: 'negativePrompt',
}
const IMAGE_CONFIG = ['aspectRatio', 'imageSize']
const GENERATION_CONFIG = [
  'temperature',
  'topP',
  'topK',
  'maxOutputTokens',
  'stopSequences',
  'presencePenalty',
  'frequencyPenalty',
  'seed',
  'mediaResolution',
  'responseMimeType',
]
const PARAMETERS = ['aspectRatio', 'resolution', 'durationSeconds', 'negativePrompt']
/** Our words for "as the picture is", which Google does when it is told nothing. */
const NO_RATIO = ['auto', 'match_input_image']

function ourFields(input: ProviderInput, names: FieldNames): Fields {
  const aspectRatio = NO_RATIO.includes(input.aspectRatio ?? '') ? null : input.aspectRatio
  const config = { ...input.config, constants: {} }
  return mapInput({ ...input, aspectRatio, config, params: {} }, names)
}

/** The first picture is the first frame, unless the route calls them reference pictures. */
function videoPictures(input: ProviderInput, pictures: Picture[]): Fields {
  const images = pictures.map(({ mimeType, data }) => ({ bytesBase64Encoded: data, mimeType }))
  if (namesOf(input).images === 'referenceImages[]') {
    return { referenceImages: images.map(image => ({ image, referenceType: 'asset' })) }
  }
  return images[0] ? { image: images[0] } : {}
}

function pick(fields: Fields, names: string[]): Fields {
  return Object.fromEntries(Object.entries(fields).filter(([name]) => names.includes(name)))
}

function fieldsOf(value: Json | undefined): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : {}
}

function nothingAsked(): ProviderError {
  return new ProviderError('rejected', 'neither a prompt nor a picture', { reason: 'input' })
}
