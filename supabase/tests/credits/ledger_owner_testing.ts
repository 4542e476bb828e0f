/**
 * The owner of accounts in the model of the credit ledger.
 *
 * @module
 */

import type { LedgerModel } from "./ledger_model_testing.ts";

/** What the accounts of one owner share: the keys of requests, and the references of payments. */
export class Owner {
  readonly accounts: LedgerModel[] = [];
  readonly firsts = new Map<string, { request: string; answer: object }>();
}
