/**
 * How the model of the credit ledger refuses a call.
 *
 * @module
 */

/** The refusal of a call: SQLSTATE, code, and the numbers in the error's detail. */
export class Refusal extends Error {
  numbers = {};
}

/** Refuses the present call if the condition is true. */
export function refuse(condition: boolean, reason: string, numbers: object = {}): void {
  if (condition) throw Object.assign(new Refusal(reason), { numbers });
}
