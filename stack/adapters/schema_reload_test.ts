import assert from "node:assert/strict";

import {
  callNewFunction,
  serviceClient,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";

test("REST finds functions that are created while it reads the schema", async () => {
  const names = Array.from(
    { length: 15 },
    () => `test_${crypto.randomUUID().replaceAll("-", "_")}`,
  );
  const service = serviceClient();
  await withDatabase(async (sql) => {
    for (const name of names) {
      await sql.unsafe(`create function public.${name}() returns int language sql as 'select 7'`);
      // Each call reads the schema while the next function is created.
      service.rpc(name as never).then(() => {});
    }
    for (const name of names) {
      const answer = await callNewFunction(name);
      assert.deepEqual([answer.error, answer.data], [null, 7]);
    }
    for (const name of names) await sql.unsafe(`drop function public.${name}()`);
  });
});
