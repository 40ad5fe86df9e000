import { answerTimeoutMs } from '../answer-timeout'
import { costMicroUsd } from '../cost'
import { ProviderError } from '../errors'
import type { VendorAnswer, VendorCall } from '../http'
import { joined, portions, several } from '../several'
import type { Done, Output, ProviderContext, ProviderInput } from '../spec'
import { ImagesAnswer } from './answers'
import { ask } from './ask'
import { type Fields, imageFields, MASK } from './fields'
import { type Picture, takePicture } from './pictures'
import { refusalOf } from './refusal'

/** Pictures from a text, or from pictures and a text: the vendor has an endpoint for each. */
export async function makeImages(
  input: ProviderInput,
  ctx: ProviderContext,
  baseUrl: string,
): Promise<Done> {
  const perCall = input.config.outputs_per_call ?? input.numOutputs
  // Checked before a picture is fetched for nothing.
  imageFields(input, perCall)
  const pictures = await inputPictures(input, ctx)
  const made = await several(portions(input.numOutputs, perCall), async count => {
    const fields = imageFields(input, count)
    const call: VendorCall =
      pictures === null
        ? { url: `${baseUrl}/images/generations`, method: 'POST', json: fields }
        : { url: `${baseUrl}/images/edits`, method: 'POST', body: formOf(fields, pictures) }
    const timeoutMs = answerTimeoutMs(ctx)
    return readImages(await ask(ctx, { ...call, timeoutMs }), input)
  })
  return joined(made, input.numOutputs)
}

type InputPictures = { images: Picture[]; mask: Picture | null }

async function inputPictures(
  { kind, images, extra }: ProviderInput,
  ctx: ProviderContext,
): Promise<InputPictures | null> {
  if (images.length === 0) {
    if (kind !== 'image_edit') return null
    throw new ProviderError('rejected', 'there is no picture to change', { reason: 'input' })
  }
  const mask = extra[MASK]
  const [maskPicture, ...pictures] = await Promise.all([
    typeof mask === 'string' ? takePicture(mask, 'mask', ctx) : null,
    ...images.map((url, index) => takePicture(url, `image-${index}`, ctx)),
  ])
  return { images: pictures, mask: maskPicture }
}

/** Each part has a name and a type: without them the vendor takes it for a stream of bytes and refuses. */
function formOf(fields: Fields, { images, mask }: InputPictures): FormData {
  const form = new FormData()
  for (const picture of images) form.append('image[]', fileOf(picture))
  if (mask) form.append('mask', fileOf(mask))
  for (const [name, value] of Object.entries(fields)) {
    if (value === null) continue
    form.append(name, typeof value === 'object' ? JSON.stringify(value) : String(value))
  }
  return form
}

function fileOf({ bytes, name, type }: Picture): File {
  return new File([bytes], name, { type })
}

function readImages(answer: VendorAnswer, { config }: ProviderInput): Done {
  const read = ImagesAnswer.safeParse(answer.json)
  if (answer.status !== 200 || !read.success) throw refusalOf(answer)
  const { data, usage } = read.data
  const outputs = data.flatMap(({ b64_json }) => pictureOf(b64_json))
  if (outputs.length === 0) throw new ProviderError('unavailable', 'no picture in the answer')
  const cost = costMicroUsd(config.cost, { calls: 1, outputs: outputs.length })
  return {
    state: 'done',
    outputs,
    usage: {
      ...(typeof usage?.input_tokens === 'number' ? { inputTokens: usage.input_tokens } : {}),
      ...(typeof usage?.output_tokens === 'number' ? { outputTokens: usage.output_tokens } : {}),
      ...(cost === null ? {} : { costMicroUsd: cost }),
    },
  }
}

/** None when it is not base64. What kind of picture it is, its bytes say. */
function pictureOf(base64: string | null | undefined): Output[] {
  try {
    const bytes = Uint8Array.fromBase64(base64 ?? '')
    return bytes.length > 0 ? [{ type: 'file', bytes, contentType: null }] : []
  } catch {
    return []
  }
}
