export { append, type NewEvent } from './append'
export { type Event, find } from './find'
