import assert from "node:assert/strict";

import postgres from "postgres";

import {
  callNewFunction,
  serviceClient,
  stack,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { createPostgresConnection } from "../supabase_lite.ts";
import { reloadSchemaOnNotify } from "./schema_reload.ts";

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

test("requests that need the schema at the same time read it once, and anew after a change", async () => {
  const connection = createPostgresConnection({ url: stack.dbUrl, postgresOptions: { max: 5 } });
  const listener = postgres(stack.dbUrl, { max: 1 });
  try {
    let readings = 0;
    const introspect = connection.introspect.bind(connection);
    connection.introspect = (options) => {
      readings++;
      return introspect(options);
    };
    await reloadSchemaOnNotify(connection, listener);
    const results = await Promise.all(Array.from({ length: 20 }, () => connection.introspect()));
    assert.equal(readings, 1);
    for (const result of results) assert.equal(result, results[0]);
    await connection.introspect();
    assert.equal(readings, 2);
  } finally {
    await listener.end();
    await connection.close();
  }
});
