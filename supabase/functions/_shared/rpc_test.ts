import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

import { callNewFunction, serviceClient, test, withDatabase } from "../_testing/testing.ts";
import { Problem } from "./problem.ts";
import { call, defined, unwrap } from "./rpc.ts";

/** Makes the database raise an error, and returns the problem for it. */
async function problemOf(statement: string): Promise<Problem> {
  const name = `test_${crypto.randomUUID().replaceAll("-", "_")}`;
  await withDatabase((sql) =>
    sql.unsafe(`
      create function public.${name}() returns int language plpgsql as $body$
      begin ${statement}; return 1; end $body$;
    `)
  );
  try {
    unwrap(await callNewFunction(name));
  } catch (error) {
    assert.ok(error instanceof Problem);
    return error;
  } finally {
    await withDatabase((sql) => sql.unsafe(`drop function public.${name}()`));
  }
  throw new Error("The database did not raise");
}

test("an error that SQL raises with a status becomes a problem with its code, hint and members", async () => {
  const problem = await problemOf(`raise exception 'Too few' using errcode = 'PT402',
    detail = 'too_few {"available": 1.5, "more": {"x": [1]}}', hint = 'Get more'`);
  assert.equal(problem.status, 402);
  assert.equal(problem.code, "too_few");
  assert.equal(problem.message, "Too few");
  assert.equal(problem.hint, "Get more");
  assert.deepEqual(problem.fields, { available: 1.5, more: { x: [1] } });
});

test("a call is repeated after a deadlock or a serialization failure, and after no other error", async () => {
  const name = `test_${crypto.randomUUID().replaceAll("-", "_")}`;
  // A sequence counts the calls because a rollback does not undo it.
  const make = (state: string, failures: number) =>
    withDatabase((sql) =>
      sql.unsafe(`
        drop function if exists public.${name}();
        drop sequence if exists public.${name}_calls;
        create sequence public.${name}_calls;
        grant usage on sequence public.${name}_calls to service_role;
        create function public.${name}() returns bigint language plpgsql as $body$
        begin
          if nextval('public.${name}_calls') <= ${failures} then
            raise exception 'Gave way' using errcode = '${state}';
          end if;
          return currval('public.${name}_calls');
        end $body$;
        grant execute on function public.${name}() to service_role;
      `)
    );
  const calls = () => call(() => serviceClient().rpc(name as never));
  try {
    await make("40P01", 0);
    await callNewFunction(name);
    for (const state of ["40P01", "40001"]) {
      await make(state, 4);
      assert.equal(await calls(), 5, state);
      await make(state, 5);
      await assert.rejects(calls, { status: 503, code: "try_again" }, state);
    }
    await make("23505", 1);
    await assert.rejects(calls, { status: 409, code: "already_exists" });
  } finally {
    await withDatabase((sql) =>
      sql.unsafe(`drop function public.${name}(); drop sequence public.${name}_calls`)
    );
  }
});

test("an error with a status but no code is internal, and the response says nothing about it", async () => {
  const problem = await problemOf(
    `raise exception 'Secret' using errcode = 'PT409', detail = 'A sentence.'`,
  );
  assert.equal(problem.status, 500);
  assert.equal(problem.code, "internal_error");
  assert.ok(!problem.message.includes("Secret"));
});

test("an error of the database itself has a status and a code, and never the database's own text", async () => {
  const cases: [statement: string, status: number, code: string][] = [
    ["perform 'x'::int", 422, "invalid_value"],
    ["perform 1 / 0", 422, "invalid_value"],
    ["perform 99999999999::int", 422, "invalid_value"],
    ["perform repeat('[', 100000)::jsonb", 422, "invalid_value"],
    ["raise exception using errcode = '54001'", 422, "invalid_value"],
    ["perform convert_from('\\xff', 'UTF8')", 422, "invalid_value"],
    [
      "insert into public.credit_prices (sku, unit, price) values ('x', 'y', -1)",
      422,
      "invalid_value",
    ],
    [
      "insert into public.credit_prices (sku, unit, price) values ('x', 'y', null)",
      422,
      "invalid_value",
    ],
    ["insert into public.profiles (id) values (gen_random_uuid())", 409, "reference_missing"],
    [
      `insert into public.credit_prices (sku, unit, price)
        select sku, 'y', 1 from (values ('twice'), ('twice')) as t (sku)`,
      409,
      "already_exists",
    ],
    ["update public.credit_accounts set balance = 1", 403, "forbidden"],
    ["raise exception using errcode = '40001'", 503, "try_again"],
    ["raise exception using errcode = '40P01'", 503, "try_again"],
    ["raise exception using errcode = '53300'", 503, "try_again"],
    ["raise exception using errcode = '57014'", 504, "database_timeout"],
    ["perform no_such_function()", 500, "internal_error"],
    ["raise exception 'Secret'", 500, "internal_error"],
  ];
  for (const [statement, status, code] of cases) {
    const problem = await problemOf(statement);
    assert.deepEqual(
      [problem.status, problem.code],
      [status, code],
      `${statement}: ${JSON.stringify(problem.cause)}`,
    );
    assert.equal(problem.headers["retry-after"], status > 500 ? "1" : undefined, statement);
    assert.ok(problem.cause, "the problem keeps the cause for the log");
    assert.ok(!/Secret|function|credit_|relation/.test(problem.message), problem.message);
  }
});

test("SQL says when a request may be repeated", async () => {
  const problem = await problemOf(
    `raise exception 'Too many' using errcode = 'PT429', detail = 'too_many {"retry_after": 60}'`,
  );
  assert.deepEqual([problem.status, problem.fields, problem.headers], [
    429,
    { retry_after: 60 },
    { "retry-after": "60" },
  ]);
});

test("an unreachable database has its own code", async () => {
  const answer = await createClient("http://127.0.0.1:9", "key").rpc("anything");
  assert.throws(() => unwrap(answer), { status: 503, code: "try_again" });
});

test("an error of a proxy in front of the database gets its code from its status", async () => {
  const answers: [status: number, body: string, expected: number, code: string][] = [
    [502, "<html>Bad Gateway</html>", 503, "try_again"],
    [503, "upstream", 503, "try_again"],
    [503, '{"message": "no code"}', 503, "try_again"],
    [504, "", 504, "database_timeout"],
    [429, '{"message": "slow down"}', 503, "try_again"],
    [401, '{"code": "PGRST303", "message": "JWT expired"}', 401, "token_expired"],
    [500, '{"code": "XX000", "message": "Secret"}', 500, "internal_error"],
    [500, "Secret", 500, "internal_error"],
  ];
  for (const [status, body, expected, code] of answers) {
    const server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      () => new Response(body, { status }),
    );
    const busy = await problemOf(
      `raise exception 'Busy' using errcode = 'PT503', detail = 'try_again'`,
    );
    assert.deepEqual(busy.headers, { "retry-after": "1" });
    const client = createClient(`http://127.0.0.1:${server.addr.port}`, "key");
    const answer = await client.rpc("anything");
    await server.shutdown();
    assert.throws(() => unwrap(answer), { status: expected, code }, `${status} ${body}`);
  }
});

test("defined leaves out undefined members and no others", () => {
  assert.deepEqual(defined({ a: 1, b: undefined, c: null, d: 0, e: "" }), {
    a: 1,
    c: null,
    d: 0,
    e: "",
  });
});
