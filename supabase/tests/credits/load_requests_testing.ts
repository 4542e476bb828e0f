/**
 * For tests of many sessions on the same credit accounts: makes up their requests.
 *
 * @module
 */

import assert from "node:assert/strict";
import type postgres from "postgres";

import type { Account, Call } from "./load_testing.ts";

/** Overdraft limit of accounts whose requests include overdrafts. */
const OVERDRAFT = 20;

/** Relative frequency of each kind of request. */
export type Weights = Partial<Record<keyof Requests["makers"], number>>;

/** Makes up requests for an account, partly about the results of recent ones. */
export class Requests {
  /** Makes a request of each kind. */
  readonly makers = {
    deduct: () => this.#call("deduct_credits", { ...this.#spender(), amount: amount(5) }),
    hold: () =>
      this.#call("hold_credits", { ...this.#spender(), amount: amount(5), expires_in: 1 }),
    longHold: () => this.#call("hold_credits", { ...this.#spender(), amount: amount(5) }),
    capture: () => {
      const hold_id = pick(this.#holds);
      if (hold_id === undefined) return this.makers.deduct();
      const part = Math.random() < 0.5 ? amount(6) : undefined;
      const allow_overage = Math.random() < 0.5;
      return this.#call("capture_credit_hold", { hold_id, amount: part, allow_overage });
    },
    release: () => {
      const hold_id = pick(this.#holds);
      return hold_id === undefined
        ? this.makers.deduct()
        : this.#call("release_credit_hold", { hold_id });
    },
    refund: () => {
      const entry_no = pick(this.#charges);
      if (entry_no === undefined) return this.makers.deduct();
      const part = Math.random() < 0.5 ? amount(2) : undefined;
      return this.#call("refund_credits", { account_id: this.account.id, entry_no, amount: part });
    },
    grant: () => this.#grant({}),
    shortGrant: () => this.#grant({ expires_at: later(0.5 + Math.random()) }),
    laterGrant: () =>
      this.#grant({ effective_at: later(0.2), expires_at: later(0.7 + Math.random()) }),
    void: () => {
      const grant_id = pick(this.#grants);
      return grant_id === undefined
        ? this.makers.grant()
        : this.#call("void_credit_grant", { grant_id, voided_by: "load", reason: "load" });
    },
    overdraft: () =>
      this.#call("set_credit_overdraft", {
        ...this.account.owner,
        overdraft_limit: Math.random() < 0.5 ? 0 : OVERDRAFT,
      }),
    // Repeats a recent request of any session, which may still be pending.
    repeat: () => pick(this.#calls) ?? this.makers.deduct(),
  };
  readonly #bag: (keyof Requests["makers"])[];
  readonly #calls: Call[] = [];
  readonly #holds: string[] = [];
  readonly #charges: string[] = [];
  readonly #grants: string[] = [];

  /**
   * @param account The account.
   * @param weights The kinds of requests and their frequency.
   */
  constructor(readonly account: Account, weights: Weights) {
    this.#bag = Object.entries(weights).flatMap(([kind, weight]) =>
      Array<keyof Requests["makers"]>(weight).fill(kind as keyof Requests["makers"])
    );
  }

  /** The next request. */
  next(): Call {
    const request = this.makers[pick(this.#bag) ?? "deduct"]();
    remember(this.#calls, request);
    return request;
  }

  /** Learns from the response to a request. */
  learn({ name }: Call, row: postgres.Row): void {
    if (name === "hold_credits") remember(this.#holds, row.id);
    if (name === "grant_credits") remember(this.#grants, row.id);
    if (row.kind === "deduct" || row.kind === "capture") remember(this.#charges, row.entry_no);
    assert.ok(!(Number(row.balance_after) < -OVERDRAFT), `balance_after is ${row.balance_after}`);
  }

  #call(name: string, args: Record<string, unknown>): Call {
    return { name, args: { ...args, idempotency_key: crypto.randomUUID() } };
  }

  #grant(terms: Record<string, unknown>): Call {
    const priority = Math.floor(Math.random() * 100);
    return this.#call("grant_credits", {
      ...this.account.owner,
      amount: amount(10),
      priority,
      source: "load",
      ...terms,
    });
  }

  #spender() {
    return pick(this.account.spenders);
  }
}

function pick<T>(list: T[]): T | undefined {
  return list[Math.floor(Math.random() * list.length)];
}

function remember<T>(list: T[], item: T): void {
  list.push(item);
  if (list.length > 100) list.shift();
}

/** A random amount up to `most` credits. */
function amount(most: number): string {
  return (Math.ceil(Math.random() * most * 10_000) / 10_000).toFixed(4);
}

function later(seconds: number): string {
  return new Date(Date.now() + seconds * 1000).toISOString();
}
