/** Test keys always run here, and live jobs never do. */
export const SANDBOX = 'sandbox'
