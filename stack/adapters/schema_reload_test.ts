import assert from "node:assert/strict";

import { serviceClient, test, withDatabase } from "../../supabase/functions/_testing/testing.ts";

test("REST learns of functions that are made while it reads the schema", async () => {
  const names = Array.from(
    { length: 15 },
    () => `test_${crypto.randomUUID().replaceAll("-", "_")}`,
  );
  const service = serviceClient();
  await withDatabase(async (sql) => {
    for (const name of names) {
      await sql.unsafe(`create function public.${name}() returns int language sql as 'select 7'`);
      // Each call reads the schema, and the next function is made meanwhile.
      service.rpc(name as never).then(() => {});
    }
    const deadline = Date.now() + 10_000;
    for (const name of names) {
      let answer = await service.rpc(name as never);
      while (answer.error?.code === "PGRST202" && Date.now() < deadline) {
        answer = await service.rpc(name as never);
      }
      assert.deepEqual([answer.error, answer.data], [null, 7]);
    }
    for (const name of names) await sql.unsafe(`drop function public.${name}()`);
  });
});
