import assert from "node:assert/strict";

import {
  serviceClient,
  stack,
  test,
  until,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

/** JSON of every type, and strings that look like JSON. */
const VALUES = [{ a: [1, { b: null }] }, [true, 1], [], "text", "5", "[1]", "null", 5, false];

/** Creates a function that returns its JSON argument and the argument's type. */
async function withProbe(run: (name: string) => Promise<void>): Promise<void> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "_")}`;
  await withDatabase(async (sql) => {
    await sql.unsafe(`
      create function public.${name}(plain text, value jsonb) returns jsonb language sql
        as $$ select jsonb_build_array(plain, jsonb_typeof(value), value) $$;
      grant execute on function public.${name}(text, jsonb) to service_role`);
    try {
      await until(async () => (await call(serviceClient(), name, 0)).error?.code !== "PGRST202");
      await run(name);
    } finally {
      await sql.unsafe(`drop function public.${name}(text, jsonb)`);
    }
  });
}

function call(client: ReturnType<typeof serviceClient>, name: string, value: unknown) {
  return client.rpc(name as never, { plain: "[1]", value } as never);
}

test("a JSON argument of a function arrives as it was sent", async () => {
  await withProbe(async (name) => {
    for (const value of VALUES) {
      const kind = Array.isArray(value) ? "array" : typeof value;
      const { data } = await call(serviceClient(), name, value);
      assert.deepEqual(data, ["[1]", kind, value]);
    }
    assert.deepEqual((await call(serviceClient(), name, null)).data, ["[1]", null, null]);
  });
});

test("@supabase/lite alone still passes a JSON argument on as a string", async () => {
  await withProbe(async (name) => {
    const { data } = await withRawLite(async (lite) =>
      await call(lite.client(stack.secretKey) as ReturnType<typeof serviceClient>, name, [1])
    );
    assert.deepEqual(data, ["[1]", "string", "[1]"]);
  });
});
