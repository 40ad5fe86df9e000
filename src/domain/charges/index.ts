export { type ChargeAnswer, chargeUser, type WhatFor } from './charge-user'
export { type ChargeReversal, reverseCharge } from './reverse-charge'
