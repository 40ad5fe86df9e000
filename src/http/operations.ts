import { RECEIVE_CALLBACK } from './callbacks'
import { GET_FILE } from './files'
import { GET_HEALTH, GET_SHORT_HEALTH } from './health'
import type { Operation } from './operation'
import { GENERATE } from './v1/generate'
import { GENERATE_IMAGE } from './v1/image'
import { CANCEL_JOB, DELETE_JOB, GET_JOB, LIST_JOBS } from './v1/jobs'
import { GET_MODEL, LIST_MODELS } from './v1/models'
import { CREATE_USER_TOKEN, GRANT_BATCH, GRANT_TOKENS, LIST_ENTRIES } from './v1/tokens'
import { CREATE_USER, DELETE_USER, GET_USER, LIST_USERS, UPDATE_USER } from './v1/users'

/** Every route of the apps' door, in the order of the document. A test compares it with the router. */
export const OPERATIONS: readonly Operation[] = [
  GENERATE,
  GENERATE_IMAGE,
  GET_JOB,
  LIST_JOBS,
  CANCEL_JOB,
  DELETE_JOB,
  GET_USER,
  LIST_USERS,
  CREATE_USER,
  UPDATE_USER,
  DELETE_USER,
  CREATE_USER_TOKEN,
  GRANT_TOKENS,
  GRANT_BATCH,
  LIST_ENTRIES,
  LIST_MODELS,
  GET_MODEL,
  GET_HEALTH,
  GET_SHORT_HEALTH,
  GET_FILE,
  RECEIVE_CALLBACK,
]
