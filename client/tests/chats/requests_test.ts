/**
 * What the client makes of errors of the database, which the server may make up.
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import { Requests } from "../../chats/requests.ts";
import { ChatsError } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";

/** Calls a function of a database that answers with this error. */
async function refusal(error: { code: string; details: string | null }): Promise<ChatsError> {
  const body = { message: "The database refuses it", hint: "", ...error };
  const supabase = createClient("http://127.0.0.1", "key", {
    accessToken: () => Promise.resolve("token"),
    global: { fetch: () => Promise.resolve(Response.json(body, { status: 409 })) },
  });
  return await rejection(new Requests(supabase).rpc("sync_chats", {}, () => {}), ChatsError);
}

Deno.test("requests: a code and its fields come from a refusal of Strongroom, and from no other error", async () => {
  for (
    const [code, details, expected, fields] of [
      ["PT409", 'version_conflict {"version": 3}', "version_conflict", { version: 3 }],
      ["PT409", "version_conflict", "version_conflict", {}],
      ["PT409", 'version_conflict {"version": }', "version_conflict", {}],
      ["23505", 'version_conflict {"version": 3}', "unexpected_answer", {}],
      ["PT409", "Key (id) exists", "unexpected_answer", {}],
      ["PT409", null, "unexpected_answer", {}],
    ] as const
  ) {
    const error = await refusal({ code, details });
    assert.equal(error.code, expected, `${code} ${details}`);
    assert.deepEqual(error.status, 409);
    if (expected !== "unexpected_answer") assert.deepEqual(error.fields, fields);
  }
});
