import { Elysia } from 'elysia'
import { z } from 'zod'
import { AppError } from '@/base/errors'
import * as plans from '@/domain/plans'
import { actorOf } from '../caller'
import { type Call, guarded, type HttpDeps } from '../guard'
import { idempotencyOf, replayHeaders, scopeOfKey } from '../idempotency'
import { operation } from '../operation'
import { beforeOf, pageOf } from '../page'
import { presentPlan, presentTemplate } from '../present-plan'
import { IdempotencyKey, listOf, PageQuery } from '../schemas'
import { PeriodInput, PlanBody, PlanInput, planFieldsOf, TemplateBody } from './plan-schemas'

const change = { keys: 'secret', user: 'none', counts: 'change' } as const
const look = { keys: 'secret', user: 'none', counts: 'read' } as const
const MAX_NAME = 64

export const LIST_PLANS = operation({
  method: 'GET',
  path: '/api/v1/plans',
  id: 'listPlans',
  summary: 'List the plans of the app',
  tag: 'Plans',
  access: look,
  query: z.strictObject(PageQuery),
  answers: {
    200: { description: 'A page of plans, newest first.', schema: listOf(PlanBody, 'PlanList') },
  },
})

export const LIST_PLAN_TEMPLATES = operation({
  method: 'GET',
  path: '/api/v1/plans/templates',
  id: 'listPlanTemplates',
  summary: 'List what a plan can be copied from',
  tag: 'Plans',
  access: look,
  answers: {
    200: {
      description: 'All of them.',
      schema: z.object({ data: z.array(TemplateBody) }).meta({ id: 'PlanTemplateList' }),
    },
  },
})

export const CREATE_PLAN = operation({
  method: 'POST',
  path: '/api/v1/plans',
  id: 'createPlan',
  summary: 'Make a plan, from a template or from nothing',
  description: 'Fields that are not given are those of the template, or none.',
  tag: 'Plans',
  access: change,
  body: z
    .strictObject({
      template: z.string().max(MAX_NAME).optional(),
      name: z
        .string()
        .max(MAX_NAME)
        .optional()
        .meta({ description: 'a-z 0-9 - _; absent: the template’s.' }),
      period: PeriodInput.optional(),
      ...PlanInput,
      idempotency_key: IdempotencyKey.optional(),
    })
    .meta({ id: 'CreatePlanRequest' }),
  isIdempotent: true,
  answers: { 201: { description: 'Made.', schema: PlanBody } },
  errors: ['conflict', 'idempotency_mismatch'],
})

export const GET_PLAN = operation({
  method: 'GET',
  path: '/api/v1/plans/:name',
  id: 'getPlan',
  summary: 'Get a plan',
  tag: 'Plans',
  access: look,
  answers: { 200: { description: 'The plan.', schema: PlanBody } },
  errors: ['not_found'],
})

export const UPDATE_PLAN = operation({
  method: 'PATCH',
  path: '/api/v1/plans/:name',
  id: 'updatePlan',
  summary: 'Change a plan',
  description: 'Limits hold from the next job on, tokens from the next period on.',
  tag: 'Plans',
  access: change,
  body: z.strictObject(PlanInput).meta({ id: 'UpdatePlanRequest' }),
  answers: { 200: { description: 'The plan as it is now.', schema: PlanBody } },
  errors: ['not_found', 'conflict'],
})

export const DELETE_PLAN = operation({
  method: 'DELETE',
  path: '/api/v1/plans/:name',
  id: 'deletePlan',
  summary: 'Remove a plan that nobody ever had',
  description: 'One that somebody has or had is switched off instead: `is_enabled` false.',
  tag: 'Plans',
  access: change,
  answers: {
    200: {
      description: 'Removed.',
      schema: z.object({ name: z.string(), deleted: z.boolean() }).meta({ id: 'DeletedPlan' }),
    },
  },
  errors: ['not_found', 'conflict'],
})

export const SET_DEFAULT_PLAN = operation({
  method: 'PUT',
  path: '/api/v1/plans/default',
  id: 'setDefaultPlan',
  summary: 'Say which plan users have who have no subscription',
  tag: 'Plans',
  access: change,
  body: z
    .strictObject({
      plan: z.string().max(MAX_NAME).nullable().meta({ description: 'Null: none, and no limits.' }),
    })
    .meta({ id: 'SetDefaultPlanRequest' }),
  answers: {
    200: {
      description: 'As it is now.',
      schema: z.object({ default_plan: z.string().nullable() }).meta({ id: 'DefaultPlan' }),
    },
  },
})

export const planRoutes = (http: HttpDeps) =>
  new Elysia({ name: 'v1.plans' })
    .get(
      LIST_PLANS.path,
      guarded(http, LIST_PLANS, call => list(http, call)),
      { detail: { hide: true } },
    )
    .get(
      LIST_PLAN_TEMPLATES.path,
      guarded(http, LIST_PLAN_TEMPLATES, () => ({
        status: 200,
        body: {
          data: Object.entries(plans.TEMPLATES).map(([name, fields]) =>
            presentTemplate(name, fields),
          ),
        },
      })),
      { detail: { hide: true } },
    )
    .post(
      CREATE_PLAN.path,
      guarded(http, CREATE_PLAN, call => create(http, call)),
      { parse: 'none', detail: { hide: true } },
    )
    .put(
      SET_DEFAULT_PLAN.path,
      guarded(http, SET_DEFAULT_PLAN, async call => {
        const { caller, body } = call
        const actor = actorOf(caller, call)
        const plan = await plans.setDefaultPlan(http.deps, actor, caller.realm, body.plan)
        return { status: 200, body: { default_plan: plan?.name ?? null } }
      }),
      { parse: 'none', detail: { hide: true } },
    )
    .get(
      GET_PLAN.path,
      guarded(http, GET_PLAN, ({ caller, params }) => {
        const plan = plans.findPlan(http.deps.db, caller.realm.id, nameIn(params))
        if (!plan) throw new AppError('not_found')
        return { status: 200, body: present(http, plan) }
      }),
      { detail: { hide: true } },
    )
    .patch(
      UPDATE_PLAN.path,
      guarded(http, UPDATE_PLAN, async call => {
        const { caller, body, params } = call
        const change = planFieldsOf(body)
        const actor = actorOf(caller, call)
        const plan = await plans.changePlan(http.deps, actor, caller.realm, nameIn(params), change)
        return { status: 200, body: present(http, plan) }
      }),
      { parse: 'none', detail: { hide: true } },
    )
    .delete(
      DELETE_PLAN.path,
      guarded(http, DELETE_PLAN, async call => {
        const name = nameIn(call.params)
        await plans.removePlan(http.deps, actorOf(call.caller, call), call.caller.realm, name)
        return { status: 200, body: { name, deleted: true } }
      }),
      { parse: 'none', detail: { hide: true } },
    )

/** Plan names need no encoding, so one that is encoded is nobody's. */
const nameIn = (params: Record<string, string>) => params.name ?? ''

function present({ deps }: HttpDeps, plan: plans.Plan) {
  return presentPlan(plan, plans.defaultPlanOf(deps.db, plan.realmId)?.id === plan.id)
}

function list({ deps }: HttpDeps, { caller, query }: Call<typeof LIST_PLANS>) {
  const before = beforeOf('plan', query.cursor)
  const all = plans.listPlans(deps.db, caller.realm.id).filter(({ id }) => id < before)
  const defaultId = plans.defaultPlanOf(deps.db, caller.realm.id)?.id
  const rows = all.slice(0, query.limit + 1)
  const present = (plan: plans.Plan) => presentPlan(plan, plan.id === defaultId)
  return { status: 200, body: pageOf('plan', rows, query.limit, present) }
}

async function create(http: HttpDeps, call: Call<typeof CREATE_PLAN>) {
  const { caller, body, request } = call
  const once = scopeOfKey(idempotencyOf(request, body), {
    realmId: caller.realm.id,
    userId: null,
    operation: 'create plan',
  })
  const input = {
    template: body.template ?? null,
    name: body.name ?? null,
    ...planFieldsOf(body),
  }
  const actor = actorOf(caller, call)
  const { plan, isReplay } = await plans.createPlan(http.deps, actor, caller.realm, input, once)
  // A plan that was just made is nobody's default, and an earlier answer is told as it was.
  return { status: 201, body: presentPlan(plan, false), headers: replayHeaders(isReplay) }
}
