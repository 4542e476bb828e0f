import assert from "node:assert/strict";

import { serviceClient, test, withDatabase } from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

/** The grants on the history of credits, without the owner's. */
async function readGrants(): Promise<string[]> {
  return await withDatabase(async (sql) => {
    const rows = await sql`
      select grantee || ' ' || privilege_type as right from information_schema.role_table_grants
      where table_schema = 'public' and table_name = 'credit_transactions' and grantee not in ('postgres', 'stack_api')
      order by 1`;
    return rows.map((row) => row.right as string);
  });
}

const GRANTED = ["authenticated SELECT", "service_role SELECT"];

test("REST grants nothing: roles have only what the migrations granted", async () => {
  const { error } = await serviceClient().from("credit_transactions").select("entry_no").limit(1);
  assert.equal(error, null);
  assert.deepEqual(await readGrants(), GRANTED);
});

test("@supabase/lite alone still tries to grant everything, and its role cannot", async () => {
  const firstError = await withRawLite((_lite, error) => Promise.resolve(error));
  assert.equal(firstError, "42501", "it did not try: the adapter can go");
  assert.deepEqual(await readGrants(), GRANTED);
});
