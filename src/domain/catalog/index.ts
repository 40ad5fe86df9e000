export { findModel, listModels, type Model } from './find'
export { type CheckedInput, checkInput, describeInput } from './input'
export { seed } from './seed'
