import { Elysia } from 'elysia'
import { z } from 'zod'
import * as jobs from '@/domain/jobs'
import { mayHaveWelcomeGrant } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { operation } from '../operation'
import { MODEL_NAME } from './accept'

/** A step of a price, in an estimate and in an example of a rule. */
export const PriceStepBody = z
  .object({
    what: z.string().meta({ description: 'In words: `x 1.5 quality high`.' }),
    tokens: z.int().meta({ description: 'What it comes to so far, rounded up.' }),
  })
  .meta({ id: 'PriceStep' })

const EstimateBody = z
  .object({
    model: z.string(),
    tokens: z.int().meta({ description: 'What `generate` would hold: the most that it can cost.' }),
    steps: z.array(PriceStepBody),
    per_output: z.int().meta({ description: 'Of one output, rounded up.' }),
    num_outputs: z.int(),
    rule_version: z.int().meta({ description: '0: the model’s plain price.' }),
    balance: z.int().nullable().meta({ description: 'What the user can spend now.' }),
    sufficient: z
      .boolean()
      .nullable()
      .meta({ description: 'Whether the balance is enough; null without a user.' }),
  })
  .meta({ id: 'Estimate' })

export const ESTIMATE = operation({
  method: 'POST',
  path: '/api/v1/estimate',
  id: 'estimate',
  summary: 'Ask what a job would cost',
  description:
    'Takes `model` and `input` of `generate`, refuses what it would refuse, and writes nothing. A user who is new has the welcome grant.',
  tag: 'Jobs',
  access: { keys: 'any', user: 'optional', counts: 'read' },
  body: z
    .strictObject({
      model: MODEL_NAME.meta({ description: 'Name or id of a model.' }),
      input: z
        .record(z.string(), z.unknown())
        .meta({ description: 'As the model’s `input_schema` says.' }),
    })
    .meta({ id: 'EstimateRequest' }),
  answers: { 200: { description: 'The price now, and how it comes about.', schema: EstimateBody } },
  errors: ['model_not_found'],
})

export const estimateRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.estimate' }).post(
    ESTIMATE.path,
    guarded(http, ESTIMATE, call => estimate(http, call)),
    { parse: 'none', detail: { hide: true } },
  )

function estimate({ deps }: HttpDeps, { caller, body }: Call<typeof ESTIMATE>) {
  const user = caller.user && {
    externalId: caller.user.externalId,
    mayHaveWelcomeGrant: mayHaveWelcomeGrant(caller),
  }
  const { model, numOutputs, quote, balance } = jobs.estimate(deps, {
    realm: caller.realm,
    user,
    model: body.model,
    input: body.input,
  })
  return {
    status: 200,
    body: {
      model,
      tokens: quote.tokens,
      steps: quote.steps.map(({ what, tokens }) => ({ what, tokens })),
      per_output: quote.perOutput,
      num_outputs: numOutputs,
      rule_version: quote.ruleVersion,
      balance,
      sufficient: balance === null ? null : balance >= quote.tokens,
    },
  }
}
