/**
 * What the client makes of errors of the database, which the server may make up.
 */

import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import { Requests } from "../../chats/requests.ts";
import { ChatsError } from "../../mod.ts";
import { rejection } from "../support/assertions.ts";

/** Calls a function of a database that answers this. */
async function called(respond: () => Response): Promise<void> {
  const supabase = createClient("http://127.0.0.1", "key", {
    accessToken: () => Promise.resolve("token"),
    global: { fetch: () => Promise.resolve(respond()) },
  });
  await new Requests(supabase).rpc("sync_chats", {}, () => {});
}

/** Calls a function of a database that answers with this error. */
async function refusal(error: { code: string; details: string | null }): Promise<ChatsError> {
  const body = { message: "The database refuses it", hint: "", ...error };
  return await rejection(called(() => Response.json(body, { status: 409 })), ChatsError);
}

/** Returns the pauses that are made while something runs, without making them. */
async function pauses(run: () => Promise<void>): Promise<number[]> {
  const made: number[] = [];
  const { setTimeout } = globalThis;
  const soon = (resolve: () => void, wait_ms: number) => {
    made.push(wait_ms);
    return setTimeout(resolve, 0);
  };
  Object.assign(globalThis, { setTimeout: soon });
  try {
    await run();
  } finally {
    Object.assign(globalThis, { setTimeout });
  }
  return made;
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

Deno.test("requests: a server decides how long the client waits, but not for more than a minute", async () => {
  for (const [asked_s, waited_ms] of [[7, 7_000], [60, 60_000], [61, 60_000], [1e9, 60_000]]) {
    let refusals = 0;
    const made = await pauses(() =>
      called(() => {
        if (refusals++ > 0) return Response.json({});
        const details = `too_many_requests {"retry_after": ${asked_s}}`;
        return Response.json({ code: "PT429", message: "Wait", details }, { status: 429 });
      })
    );
    assert.deepEqual(made, [waited_ms], `${asked_s} s`);
  }
});

Deno.test("requests: a server that never answers does not hold the client", async () => {
  const silence: typeof fetch = (_url, init) =>
    new Promise((_resolve, reject) => {
      init?.signal?.addEventListener("abort", () => reject(init.signal?.reason));
    });
  const supabase = createClient("http://127.0.0.1", "key", {
    accessToken: () => Promise.resolve("token"),
    global: { fetch: silence },
  });
  const requests = new Requests(supabase, { attempts: 2, pause_ms: 0, timeout_ms: 5 });
  const read = () => {};
  const path = "keys";
  for (
    const ask of [
      () => requests.send({ method: "GET", path, read }, read),
      () => requests.rpc("sync_chats", {}, read),
      () => requests.select((supabase) => supabase.from("encrypted_chats").select("id"), read),
    ]
  ) {
    assert.equal((await rejection(ask(), ChatsError)).code, "unreachable");
  }
});
