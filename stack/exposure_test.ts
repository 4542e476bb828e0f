import assert from "node:assert/strict";

import { test, withDatabase } from "../supabase/functions/_testing/testing.ts";
import { EXPOSURE_FILE, readExposure } from "./exposure.ts";

test("the roles of the API may do exactly what supabase/exposure.txt says", async () => {
  const written = await Deno.readTextFile(EXPOSURE_FILE);
  const actual = await withDatabase(readExposure);
  assert.equal(
    actual,
    written,
    "If this change is intended, update the file with: deno task exposure",
  );
});

test("a grant on one column or one function shows in the exposure", async () => {
  const before = await withDatabase(readExposure);
  const changes = [
    "grant update (balance) on public.credit_accounts to authenticated",
    "grant select on public.profiles to anon",
    "grant truncate on public.tasks to service_role",
    "revoke insert (title) on public.projects from authenticated",
    `grant execute on function
      public.deduct_credits(uuid, text, numeric, numeric, text, text, text, jsonb, uuid, text) to authenticated`,
    "update storage.buckets set public = true where id = 'chat-images'",
  ];
  for (const change of changes) {
    const after = await withDatabase(async (sql) => {
      let seen = "";
      await sql.begin(async (transaction) => {
        await transaction.unsafe(change);
        seen = await readExposure(transaction);
        throw new Error("undo");
      }).catch(() => {});
      return seen;
    });
    assert.notEqual(after, "", change);
    assert.notEqual(after, before, change);
  }
});
