export { append, type JobEvent, type NewEvent, type Notice } from './append'
export { type Event, find } from './find'
