export { changePlan, type PlanChange, removePlan, setDefaultPlan } from './change-plan'
export { MAX_DISPLAY_NAME, MAX_LISTED, PLAN_NUMBERS } from './check'
export { createPlan, type NewPlan } from './create-plan'
export { cancel, endForErased, endNow, resume } from './end'
export {
  type Entitlement,
  entitlementFor,
  nextReplenishmentAt,
  readEntitlement,
} from './entitlement'
export { defaultPlanOf, findPlan, listPlans, type Plan, type PlanFields } from './find'
export { renewAllDue } from './renew'
export {
  PRORATIONS,
  type Proration,
  type SubscriptionOrder,
  subscribe,
  USUAL_SOURCE,
  WHENS,
  type When,
} from './subscribe'
export { TEMPLATES } from './templates'
export { findSubscription, type SubscriptionView } from './view'
