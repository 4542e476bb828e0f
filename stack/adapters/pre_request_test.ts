import assert from "node:assert/strict";

import postgres from "postgres";

import {
  anonymousClient,
  signUp,
  stack,
  test,
  until,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { withRawLite } from "./testing.ts";

test("REST calls the pre-request function in the transaction of each request, with its headers", async () => {
  const user = await signUp();
  await withHook(async () => {
    const told = { code: "PT418", details: null, hint: null, message: "" };
    const from = (method: string, readOnly: string, role: string) => ({
      ...told,
      message: `${method} ${readOnly} ${role} 127.0.0.1`,
    });
    const anonymous = anonymousClient();
    const { error: read, status } = await anonymous.from("projects").select("id");
    assert.deepEqual([read, status], [from("GET", "on", "anon"), 418]);
    const { error: written } = await user.client.from("journal_entries")
      .insert({ user_id: user.id, content: "" });
    assert.deepEqual(written, from("POST", "off", "authenticated"));
    const { error: called } = await user.client.rpc("get_chat_keys");
    assert.deepEqual(called, from("POST", "on", "authenticated"));

    const response = await fetch(`${stack.url}/rest/v1/projects?select=id`, {
      headers: { apikey: stack.publishableKey },
    });
    await response.body?.cancel();
    assert.equal(response.headers.get("retry-after"), "7");
    await withRawLite(async (lite) => {
      const { error } = await lite.client(stack.secretKey).from("projects").select("id").limit(1);
      assert.notEqual(error?.code, "PT418");
    });
  });
});

/** Replaces the pre-request function with one that refuses each request and tells what it sees. */
async function withHook(run: () => Promise<void>): Promise<void> {
  await withDatabase(async (sql) => {
    await sql.unsafe(`
      create function public.tell_request() returns void language plpgsql as $$
      begin
        raise sqlstate 'PGRST' using
          message = json_build_object('code', 'PT418', 'message', concat_ws(' ', current_setting('request.method'),
            current_setting('transaction_read_only'), current_setting('role'),
            current_setting('request.headers')::json ->> 'x-forwarded-for')),
          detail = '{"status": 418, "headers": {"Retry-After": "7"}}';
      end $$;
      grant execute on function public.tell_request() to anon, authenticated, service_role;
    `).simple();
    try {
      await configure(sql, "public.tell_request", "PT418");
      await run();
    } finally {
      await configure(sql, "private.count_request", undefined);
      await sql.unsafe("drop function public.tell_request()");
    }
  });
}

/** Names the function, and waits until REST calls it: until reads are answered with this code. */
async function configure(sql: postgres.Sql, name: string, code: string | undefined): Promise<void> {
  await sql.unsafe(`alter role authenticator set pgrst.db_pre_request = '${name}'`);
  await sql.unsafe("notify pgrst, 'reload config'");
  await until(async () => {
    const { error } = await anonymousClient().from("projects").select("id");
    return error?.code === code;
  });
}
