/**
 * Opens credit accounts with the balances of a product.
 *
 * @module
 */

import type { Plan } from "./plan.ts";

/** The ids of the staged users that are UUIDs. */
export const STAGED_USERS = `select s.id::uuid from pg_temp.staged as s
  where s.id ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$'`;

/** Opens the accounts of the staged users. Those without a balance in the product have none here either. */
export const OPEN_ACCOUNTS = `do $$ begin
  if to_regprocedure('private.open_credit_account(uuid, numeric)') is not null then
    perform private.open_credit_account(u.id, 0) from auth.users as u
    where u.id in (${STAGED_USERS});
  end if;
end $$`;

/** What an import needs to know of the old balances. */
export interface Balances {
  product: { name: string; balance?: { table: string; column: string } };
  rate: number;
}

/**
 * The old balance of a staged row, in credits.
 *
 * @param balances Where the balances are.
 */
export function creditsOf({ product, rate }: Balances): string {
  return `round(s."${product.balance?.column}"::numeric * ${rate}, 4)`;
}

/** The reference of the grant of a staged row: a repeat finds the grant by it. */
export function referenceOf({ product }: Balances): string {
  return `'opening:${product.name}:' || s.user_id`;
}

/**
 * Grants the old balances to the accounts of the staged rows. A balance below 0 does not fit.
 *
 * @param balances Where the balances are.
 */
export function creditStatement(balances: Balances): string {
  return `select public.grant_credits(user_id => s.user_id::uuid, amount => ${creditsOf(balances)},
      category => 'paid', source => 'opening', external_reference => ${referenceOf(balances)},
      description => 'Opening balance')
    from pg_temp.staged as s where s._number between $1 and $2 and ${creditsOf(balances)} <> 0`;
}

/** The plan of a step that opens accounts: its columns are those that the grants are made of. */
export function creditPlan(balances: Balances, plan: Plan): Plan {
  const { column = "" } = balances.product.balance ?? {};
  return {
    ...plan,
    target: `(select g.external_reference, a.user_id, g.amount, g.source
      from private.credit_grants as g join public.credit_accounts as a on a.id = g.account_id)`,
    key: "user_id",
    targetKey: ["external_reference"],
    read: ["user_id", column],
    write: [
      { column: "external_reference", value: referenceOf(balances) },
      { column: "user_id", value: "s.user_id::uuid" },
      { column: "amount", value: `${creditsOf(balances)}::numeric(15,4)` },
      { column: "source", value: "'opening'" },
    ],
    fixed: [],
    filter: `${creditsOf(balances)} <> 0`,
  };
}
