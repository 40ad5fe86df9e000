import { Elysia } from 'elysia'
import { AppError } from './base/errors'
import { callbackRoutes } from './http/callbacks'
import { docsRoutes } from './http/docs/docs'
import { fileRoutes } from './http/files'
import { type HttpDeps, refuse, requestIdOf } from './http/guard'
import { type Health, healthRoutes } from './http/health'
import { openapiDocument } from './http/openapi'
import { OPERATIONS } from './http/operations'
import { balanceRoutes } from './http/v1/balance'
import { chargeRoutes } from './http/v1/charges'
import { estimateRoutes } from './http/v1/estimate'
import { generate } from './http/v1/generate'
import { imageRoutes } from './http/v1/image'
import { jobRoutes } from './http/v1/jobs'
import { modelRoutes } from './http/v1/models'
import { planRoutes } from './http/v1/plans'
import { priceRoutes } from './http/v1/prices'
import { subscriptionRoutes } from './http/v1/subscriptions'
import { tokenRoutes } from './http/v1/tokens'
import { usageRoutes } from './http/v1/usage'
import { userUsageRoutes } from './http/v1/usage-of-user'
import { userRoutes } from './http/v1/users'

/** Joins the HTTP doors. No listening and no timers: tests start here. */
export function createApp(http: HttpDeps, health: Health) {
  // Else the router takes a Host of less than four characters (`hub`, in a private network) for a path.
  return new Elysia({ name: 'hub', handler: { standardHostname: false } })
    .onError(({ error, code, request }) => {
      const thrown = code === 'NOT_FOUND' ? new AppError('not_found') : error
      return refuse(http.deps, thrown, requestIdOf(request))
    })
    .use(healthRoutes(http, health))
    .use(generate(http))
    .use(imageRoutes(http))
    .use(estimateRoutes(http))
    .use(jobRoutes(http))
    .use(userRoutes(http))
    .use(userUsageRoutes(http))
    .use(tokenRoutes(http))
    .use(balanceRoutes(http))
    .use(planRoutes(http))
    .use(subscriptionRoutes(http))
    .use(chargeRoutes(http))
    .use(usageRoutes(http))
    .use(modelRoutes(http))
    .use(priceRoutes(http))
    .use(fileRoutes(http))
    .use(callbackRoutes(http))
    .use(docsRoutes(openapiDocument(OPERATIONS, { version: health.version })))
}
