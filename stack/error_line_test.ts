import assert from "node:assert/strict";
import postgres from "postgres";

import { stack, test } from "../supabase/functions/_testing/testing.ts";
import { lineOfError } from "./error_line.ts";

/** Runs a file that fails, and finds the line. */
async function lineOf(text: string): Promise<number | undefined> {
  const sql = postgres(stack.dbUrl, { max: 1, onnotice: () => {} });
  try {
    const error = await sql.begin((transaction) => transaction.unsafe(text).simple())
      .then(() => assert.fail("the file does not fail"), (error) => error);
    return await lineOfError(sql, text, error);
  } finally {
    await sql.end();
  }
}

test("the line of a failing migration is found, whatever the error is", async () => {
  assert.equal(await lineOf("select 1;\n\nselect oops;"), 3, "an unknown name");
  assert.equal(await lineOf("select 1;\n-- 👋👋👋\n\nselect oops;"), 4, "after an emoji");
  assert.equal(await lineOf("select 1;\nselect 1\n from;\n"), 3, "a syntax error");
  assert.equal(
    await lineOf(
      "create table a_table (id int);\n\n-- again\n/* and\nagain */ create table a_table ();",
    ),
    5,
    "an object that exists, after comments",
  );
  assert.equal(
    await lineOf("create temp table t (n int check (n > 0));\n\ninsert into t\n  values (0);"),
    3,
    "a constraint",
  );
  assert.equal(
    await lineOf("select 'ü';\n\ndo $$\ndeclare n int := 0;\nbegin\n  perform 1 / n;\nend $$;\n"),
    6,
    "a line in a block",
  );
  assert.equal(
    await lineOf(
      "create function f() returns int language plpgsql as $$ begin\n  retur 1;\nend $$;",
    ),
    2,
    "the body of a function",
  );
  assert.equal(
    await lineOf(
      "create function pg_temp.f() returns int language plpgsql as $$ begin\n  return 1 / 0;\nend $$;\n\nselect pg_temp.f();\n",
    ),
    5,
    "a function that is called",
  );
});
