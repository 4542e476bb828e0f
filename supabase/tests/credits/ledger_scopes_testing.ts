/**
 * The scopes of grants in the model of the credit ledger: what a grant pays for, and in which order grants are spent.
 *
 * @module
 */

import type { Sql } from "postgres";

import { CREDIT, isAmount } from "./ledger_amounts_testing.ts";
import type { Grant } from "./ledger_calls_testing.ts";
import { byId, type Portion, sum, sumOf } from "./ledger_portions_testing.ts";

/** A part of a charge. A null sku stands for a plain amount. */
export type Item = { sku: string | null; amount: number };
/** What a charge is for. */
export type Charge = { amount?: number | null; items?: Item[] };

/** What a quote says: available is what can be spent on some of the items or, if that does not pay for all, of their sum. */
export type Quote = { total: number; available: number; affordable: boolean };

/** A time that never comes. */
export const NEVER = Number.MAX_SAFE_INTEGER;

/** Adds units to the database, and what is sold in each of them, a and b, at a price of 1. */
export async function addUnits(sql: Sql, units: readonly string[]): Promise<void> {
  await sql`insert into public.credit_units (unit) select u from unnest(${[...units]}::text[]) as u
    on conflict do nothing`;
  await sql`insert into public.credit_prices (sku, unit, price, quantity_scale, credit_unit, effective_from)
    select u || '.' || s, 'one', 1, 4, u, '2020-01-01'
    from unnest(${[...units]}::text[]) as u cross join unnest(array['a', 'b']) as s
    on conflict do nothing`;
}

/** Whether a grant with this scope pays for a sku. */
export const paysFor = (skus: string[] | null, sku: string | null): boolean =>
  skus === null || skus.some((s) => s.endsWith("*") ? sku?.startsWith(s.slice(0, -1)) : s === sku);

/** What a charge consists of. */
export const itemsOf = ({ items, amount }: Charge): Item[] =>
  items ?? [{ sku: null, amount: amount ?? 0 }];

/** Items as a request names them. */
export const requested = (items: Item[]) =>
  items.map(({ sku, amount }) => ({ sku, quantity: amount / CREDIT }));

/** Turns what a command buys into a charge in a unit: items that add up to the amount, or the amount itself. */
export function chargeOf(buys: string[] | null, amount: unknown, unit: string): Charge | undefined {
  const count = buys?.length ?? 0;
  if (!buys || typeof amount !== "number" || !isAmount(amount) || amount < count) return undefined;
  const share = Math.floor(amount / count);
  return {
    items: buys.map((sku, place) => (
      { sku: `${unit}.${sku}`, amount: place === 0 ? amount - share * (count - 1) : share }
    )),
  };
}

/** Grants in spending order. */
export const inOrder = (grants: Grant[]): Grant[] =>
  grants.toSorted((a, b) =>
    a.priority - b.priority || (a.expires_at ?? NEVER) - (b.expires_at ?? NEVER) ||
    byId(b.category, a.category) * (a.category === b.category ? 0 : 1) ||
    a.effective_at - b.effective_at || a.created_at - b.created_at || byId(a.id, b.id)
  );

/** Takes items from portions, one item after another, each from those that `pays` allows. Returns what is taken, and what is missing. */
export function takeItems(
  portions: Portion[],
  items: Item[],
  pays: (portion: Portion, sku: string | null) => boolean,
): [Portion[], Item[]] {
  const taken: Portion[] = [];
  const missing: Item[] = [];
  for (const { sku, amount } of items) {
    let left = amount;
    for (const portion of portions.filter((portion) => pays(portion, sku))) {
      const part = Math.min(left, portion.amount - sumOf(portion.grant_id, taken));
      if (part > 0) taken.push({ grant_id: portion.grant_id, amount: part });
      left -= Math.max(0, part);
    }
    if (left > 0) missing.push({ sku, amount: left });
  }
  return [merge(taken), missing];
}

/** Portions with one for each grant, where it first comes. */
export function merge(portions: Portion[]): Portion[] {
  const ids = [...new Set(portions.map((portion) => portion.grant_id))];
  return ids.map((grant_id) => ({
    grant_id,
    amount: sum(portions.filter((portion) => portion.grant_id === grant_id)),
  }));
}

/**
 * What a quote says of items.
 *
 * @param items The items.
 * @param drawn What a charge of them draws from grants, and what is missing.
 * @param room What the overdraft still covers.
 * @param available What can be spent on anything.
 * @param free The free credits of grants, with what each is limited to.
 */
export function quoteOf(
  items: Item[],
  [drawn, missing]: [Portion[], Item[]],
  room: number,
  available: number,
  free: (Portion & { skus: string[] | null })[],
): Quote {
  const total = sum(items);
  if (sum(missing) > Math.max(0, room)) {
    return { total, available: sum(drawn) + room, affordable: false };
  }
  const limited = free.filter(({ skus }) => skus && items.some(({ sku }) => paysFor(skus, sku)));
  return { total, available: available + sum(limited), affordable: true };
}
