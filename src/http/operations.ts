import { RECEIVE_CALLBACK } from './callbacks'
import { GET_FILE } from './files'
import { GET_HEALTH, GET_SHORT_HEALTH } from './health'
import type { Operation } from './operation'
import { ADJUST_TOKENS, GET_BALANCE, REVERSE_GRANT } from './v1/balance'
import { CHARGE_USER, REVERSE_CHARGE } from './v1/charges'
import { ESTIMATE } from './v1/estimate'
import { GENERATE } from './v1/generate'
import { GENERATE_IMAGE } from './v1/image'
import { CANCEL_JOB, DELETE_JOB, GET_JOB, LIST_JOBS } from './v1/jobs'
import { GET_MODEL, LIST_MODELS } from './v1/models'
import {
  CREATE_PLAN,
  DELETE_PLAN,
  GET_PLAN,
  LIST_PLAN_TEMPLATES,
  LIST_PLANS,
  SET_DEFAULT_PLAN,
  UPDATE_PLAN,
} from './v1/plans'
import { GET_PRICE, LIST_PRICES, REMOVE_PRICE, SET_PRICE } from './v1/prices'
import {
  CANCEL_SUBSCRIPTION,
  DELETE_SUBSCRIPTION,
  GET_SUBSCRIPTION,
  RESUME_SUBSCRIPTION,
  SET_SUBSCRIPTION,
} from './v1/subscriptions'
import { CREATE_USER_TOKEN, GRANT_BATCH, GRANT_TOKENS, LIST_ENTRIES } from './v1/tokens'
import { GET_USAGE } from './v1/usage'
import { GET_USER_USAGE } from './v1/usage-of-user'
import { CREATE_USER, DELETE_USER, GET_USER, LIST_USERS, UPDATE_USER } from './v1/users'

/** Every route of the apps' door, in the order of the document. A test compares it with the router. */
export const OPERATIONS: readonly Operation[] = [
  GENERATE,
  GENERATE_IMAGE,
  ESTIMATE,
  GET_JOB,
  LIST_JOBS,
  CANCEL_JOB,
  DELETE_JOB,
  GET_USER,
  LIST_USERS,
  CREATE_USER,
  UPDATE_USER,
  DELETE_USER,
  GET_USER_USAGE,
  CREATE_USER_TOKEN,
  GRANT_TOKENS,
  GRANT_BATCH,
  REVERSE_GRANT,
  ADJUST_TOKENS,
  GET_BALANCE,
  LIST_ENTRIES,
  LIST_PLANS,
  LIST_PLAN_TEMPLATES,
  CREATE_PLAN,
  SET_DEFAULT_PLAN,
  GET_PLAN,
  UPDATE_PLAN,
  DELETE_PLAN,
  SET_SUBSCRIPTION,
  GET_SUBSCRIPTION,
  CANCEL_SUBSCRIPTION,
  RESUME_SUBSCRIPTION,
  DELETE_SUBSCRIPTION,
  CHARGE_USER,
  REVERSE_CHARGE,
  GET_USAGE,
  LIST_MODELS,
  GET_MODEL,
  LIST_PRICES,
  GET_PRICE,
  SET_PRICE,
  REMOVE_PRICE,
  GET_HEALTH,
  GET_SHORT_HEALTH,
  GET_FILE,
  RECEIVE_CALLBACK,
]
