import assert from "node:assert/strict";
import type { SupabaseClient } from "@supabase/supabase-js";
import type { Sql } from "postgres";

import {
  serviceClient,
  stack,
  test,
  until,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

/** JSON as clients send it: strings that look like other JSON, bare values, arrays that look like those of SQL. */
const VALUES: unknown[] = [
  ...["42", "-1.5e3", "0", "true", "false", "null", "", " ", " 42 ", "[true]", "[]", "{}", '"x"'],
  ...['{"a":1}', '["a","b"]', "{1,2}", "{a}", "(1,2)", "t", "\\x00ff", "2026-11-01T00:00:00Z"],
  ...["text", "ä 日本 👍", "line\nbreak", "quote \" ' \\", "\u0001json:5", "NaN"],
  ...[42, -1.5, 0, 1e21, true, false],
  ...[[], [true], [[true]], [1, 2], ["42", "true"], [null], [[]], [{ a: "1" }]],
  ...[{}, { a: "42" }, { a: { b: [true, "true", null] } }, { "": "null" }, { a: null }],
];

type Client = SupabaseClient<
  { public: { Tables: Record<string, never>; Views: object; Functions: object } }
>;

/** Creates a table with JSON columns and a function that returns its JSON argument and the argument's type. */
async function withProbe(run: (name: string, sql: Sql) => Promise<void>): Promise<void> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "_")}`;
  await withDatabase(async (sql) => {
    await sql.unsafe(`
      create table public.${name} (id integer primary key, value jsonb, text_value json, plain text);
      grant all on public.${name} to service_role;
      create function public.${name}_rpc(plain text, value jsonb) returns jsonb language sql
        as $$ select jsonb_build_array(plain, jsonb_typeof(value), value) $$;
      grant execute on function public.${name}_rpc(text, jsonb) to service_role;
      notify pgrst, 'reload schema'`);
    try {
      await until(async () => (await client().from(name).select()).error === null);
      await until(async () => (await call(client(), name, 0)).error?.code !== "PGRST202");
      await run(name, sql);
    } finally {
      await sql.unsafe(`drop table public.${name}; drop function public.${name}_rpc(text, jsonb)`);
    }
  });
}

// The types of the product do not have what a test creates.
const client = (): Client => serviceClient() as unknown as Client;

function call(client: Client, name: string, value: unknown) {
  return client.rpc(`${name}_rpc` as never, { plain: "[1]", value } as never);
}

/** Asserts that all values are in the table, as the database, supabase-js and HTTP see them. */
async function assertStored(sql: Sql, name: string, how: string): Promise<void> {
  const rows = await sql.unsafe(
    `select value::text as value, text_value::jsonb::text as text_value from public.${name} order by id`,
  );
  const kept = rows.map(({ value, text_value }) => [JSON.parse(value), JSON.parse(text_value)]);
  assert.deepEqual(kept, VALUES.map((value) => [value, value]), `${how}, in the database`);
  const { data } = await client().from(name).select("value, text_value").order("id");
  const expected = VALUES.map((value) => ({ value, text_value: value }));
  assert.deepEqual(data, expected, `${how}, read by supabase-js`);
  assert.deepEqual(
    await (await request(name, "GET", "?select=value,text_value&order=id")).json(),
    expected,
  );
}

function request(name: string, method: string, query = "", body?: unknown): Promise<Response> {
  return fetch(`${stack.url}/rest/v1/${name}${query}`, {
    method,
    headers: {
      apikey: stack.secretKey,
      "content-type": "application/json",
      prefer: "resolution=merge-duplicates",
    },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
}

const rowOf = (value: unknown, id: number) => ({ id, value, text_value: value, plain: "42" });

test("40 JSON values are stored as they were sent, in every kind of write", async () => {
  assert.ok(VALUES.length >= 40);
  await withProbe(async (name, sql) => {
    const table = () => client().from(name);
    const each =
      (write: (value: unknown, id: number) => PromiseLike<{ error: unknown } | Response>) =>
      async () => {
        for (const [id, value] of VALUES.entries()) {
          const answer = await write(value, id);
          if (answer instanceof Response) assert.ok(answer.ok, await answer.text());
          else assert.equal(answer.error, null);
        }
      };
    const row = (value: unknown, id: number) => rowOf(value, id) as never;
    const change = (value: unknown) => ({ value, text_value: value }) as never;
    const ways: Record<string, () => Promise<void>> = {
      insert: each((value, id) => table().insert(row(value, id))),
      update: each((value, id) => table().update(change(value)).eq("id", id as never)),
      upsert: each((value, id) => table().upsert(row(value, id))),
      "bulk insert": async () => {
        await table().delete().gte("id", 0 as never);
        assert.equal((await table().insert(VALUES.map(row))).error, null);
      },
      "bulk upsert": async () => {
        assert.equal((await table().upsert(VALUES.map(row))).error, null);
      },
      "HTTP POST": each((value, id) => request(name, "POST", "", rowOf(value, id))),
      "HTTP PATCH": each((value, id) => request(name, "PATCH", `?id=eq.${id}`, change(value))),
      SQL: async () => {
        for (const [id, value] of VALUES.entries()) {
          const text = JSON.stringify(value);
          await sql.unsafe(
            `update public.${name} set value = $1::text::jsonb, text_value = $1::text::json where id = $2`,
            [text, id],
          );
        }
      },
    };
    for (const [how, write] of Object.entries(ways)) {
      if (how !== "insert" && !how.startsWith("bulk insert")) {
        await sql.unsafe(`update public.${name} set value = '0', text_value = '0'`);
      }
      await write();
      await assertStored(sql, name, how);
    }
    const { data } = await table().select("plain").limit(1);
    assert.deepEqual(data, [{ plain: "42" }]);
    assert.equal((await table().update(change(null)).eq("id", 0 as never)).error, null);
    const [none] = await sql.unsafe(
      `select value is null as empty from public.${name} where id = 0`,
    );
    assert.equal(none?.empty, true);
  });
});

test("a JSON argument of a function arrives as it was sent", async () => {
  await withProbe(async (name) => {
    for (const value of VALUES) {
      const kind = Array.isArray(value) ? "array" : typeof value;
      const { data } = await call(client(), name, value);
      assert.deepEqual(data, ["[1]", kind, value]);
    }
    assert.deepEqual((await call(client(), name, null)).data, ["[1]", null, null]);
  });
});

test("@supabase/lite alone still parses strings in JSON columns, and encodes JSON arguments twice", async () => {
  await withProbe(async (name) => {
    await withRawLite(async (lite) => {
      const raw = lite.client(stack.secretKey) as unknown as Client;
      const { data: row } = await raw.from(name).insert(rowOf("42", 1) as never).select("value");
      assert.deepEqual(row, [{ value: 42 }]);
      assert.deepEqual((await call(raw, name, [1])).data, ["[1]", "string", "[1]"]);
    });
  });
});
