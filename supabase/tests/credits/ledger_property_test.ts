import fc from "fast-check";
import postgres from "postgres";

import { soak, stack, test, withDatabase } from "../../functions/_testing/testing.ts";
import type { Call } from "./ledger_calls_testing.ts";
import { type Command, sequence, UNITS } from "./ledger_commands_testing.ts";
import { Ledger } from "./ledger_database_testing.ts";
import { addUnits } from "./ledger_scopes_testing.ts";

/** What the account that only gives has, in credits. */
const BANK = 1_000_000;

const grant = (sku: string) => ({
  ...{
    name: "grant_credits",
    key: null,
    unit: "credits",
    amount: 100_000,
    category: "paid",
    priority: 0,
  },
  ...{ effective_at: null, expires_at: 1_800_000, external_reference: null, skus: [sku] },
});

/** Sequences that have failed: a hold for several items gives back to grants that have ended. */
const FAILED = [[[
  [{ name: "set_credit_overdraft", overdraft_limit: 600_000 }],
  [
    grant("b"),
    grant("a"),
    {
      ...{ name: "hold_credits", key: null, unit: "credits", amount: 100_000 },
      ...{ buys: ["a", "b", "a"], expires_in: 3600 },
    },
    { name: "advance", key: null, unit: "ledger_images", hours: 1 },
  ],
]], [[
  [{ name: "set_credit_overdraft", overdraft_limit: 600_000 }],
  [
    { ...grant("b"), amount: 1, expires_at: null },
    {
      ...{ name: "hold_credits", key: null, unit: "credits", amount: { share: 1000, plus: 0 } },
      ...{ buys: ["a", "b", "a"], expires_in: 3600 },
    },
    {
      ...{ name: "void_credit_grant", key: "a", unit: "credits" },
      ...{ id: "grant_id", nth: 0, fit: false },
    },
    {
      ...{ name: "void_credit_grant", key: null, unit: "credits" },
      ...{ id: "grant_id", nth: 0, fit: true },
    },
    { name: "advance", key: "a", unit: "credits", hours: 1 },
  ],
]]] as unknown as [[Call[], Command[]]][];

test("the credit ledger does what its model does, for any calls in any order", async () => {
  const root = postgres(stack.adminDbUrl, { max: 1, onnotice: () => {} });
  const seed = Number(Deno.env.get("SEED") ?? crypto.getRandomValues(new Int32Array(1))[0]);
  // The path to a failure, as fast-check prints it.
  const path = Deno.env.get("FC_PATH");
  const again = { seed, ...(path && { path }) };
  console.log(`SEED=${seed}, ${150 * soak} sequences`);
  try {
    await withDatabase(async (sql) => {
      await addUnits(sql, UNITS);
      const property = fc.asyncProperty(sequence, async ([calls, commands]) => {
        // The others of transfers: one who gives, and one who only takes.
        const users = {
          bank: crypto.randomUUID(),
          sink: crypto.randomUUID(),
          user: crypto.randomUUID(),
        };
        for (const id of Object.values(users)) {
          await sql`insert into auth.users (id, email, aud, role)
            values (${id}, ${`${id}@example.com`}, 'authenticated', 'authenticated')`;
        }
        const [ids = {}] = await sql`select a.user_id, g.id
          from public.credit_accounts as a join public.credit_grants as g on g.account_id = a.id
          where a.user_id = ${users.user}`;
        await sql`select public.grant_credits(${users.bank}, ${BANK}, priority => 0, unit => u)
          from unnest(${[...UNITS]}::text[]) as u`;
        await sql`select public.void_credit_grant(g.id, 'me', 'so') from public.credit_grants as g
          join public.credit_accounts as a on a.id = g.account_id where a.user_id = ${users.sink}`;
        Object.assign(ids, users);
        const ledger = new Ledger(sql, root, ids);
        try {
          for (const call of calls) await ledger.call(call, null, "credits");
          for (const command of commands) await ledger.run(command);
          await ledger.settle();
          await ledger.compareOthers();
        } catch (error) {
          throw new Error(`After\n${ledger.log.join("\n")}\n${error}`, { cause: error });
        } finally {
          await sql`delete from auth.users where id in ${sql(Object.values(users))}`;
        }
      });
      await fc.assert(property, { numRuns: 150 * soak, examples: FAILED, ...again });
    });
  } finally {
    await root.end();
  }
});
