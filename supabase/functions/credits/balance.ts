/**
 * The balance of an account in a unit.
 *
 * @module
 */

import type { SupabaseClient } from "@supabase/supabase-js";

import type { Database } from "../_shared/database.types.ts";
import { Problem } from "../_shared/problem.ts";
import { unwrap } from "../_shared/rpc.ts";

/** The balance of a user or a team in one unit. */
export interface UnitBalance {
  user_id?: string;
  team_id?: string;
  unit: string;
  balance: number | null;
  held: number | null;
  available: number | null;
  overdraft_limit: number | null;
  /** What grants have free that pay for some skus only; not part of `available`. */
  scoped: number | null;
  /** Null, as is `updated_at`, if the owner has never had anything in this unit. */
  account_id: string | null;
  updated_at: string | null;
}

/**
 * Returns the balance of an owner in a unit: zeros if the owner has never had anything in it, and undefined if the client
 * sees no account of the owner.
 *
 * @param client Client whose policies decide whose balances it sees.
 * @param owner The user or the team.
 * @param unit The unit.
 * @throws {Problem} 422 `unknown_unit`.
 */
export async function readUnitBalance(
  client: SupabaseClient<Database>,
  owner: { user_id: string } | { team_id: string },
  unit: string,
): Promise<UnitBalance | undefined> {
  // The account in credits, which every owner has, tells an owner without anything from nobody.
  const balances = unwrap(
    await client.from("credit_balances")
      .select("unit, balance, held, available, overdraft_limit, scoped, account_id, updated_at")
      .match(owner).in("unit", [unit, "credits"]),
  );
  const found = balances.find((row) => row.unit === unit);
  if (found) return { ...owner, ...found, unit };
  if (unwrap(await client.from("credit_units").select("unit").eq("unit", unit)).length === 0) {
    throw new Problem(422, "unknown_unit", `There is no unit "${unit}"`);
  }
  if (balances.length === 0) return undefined;
  const nothing = { balance: 0, held: 0, available: 0, overdraft_limit: 0, scoped: 0 };
  return { ...owner, unit, ...nothing, account_id: null, updated_at: null };
}
