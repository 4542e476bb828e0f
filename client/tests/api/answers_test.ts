import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import {
  signUp,
  stack,
  test,
  type TestUser,
  until,
} from "../../../supabase/functions/_testing/testing.ts";
import { createStrongroom, type Strongroom } from "../../index.ts";
import { type Proxy, startProxy } from "../support/proxy.ts";

/** The calls of a user, all of whose first answers a proxy loses. */
function losing(proxy: Proxy, user: TestUser): Strongroom {
  const supabase = createClient(proxy.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
  });
  return createStrongroom(supabase, { attempts: 3, pause_ms: 1 });
}

test("client: an answer comes as a whole, with its message and what it cost", async () => {
  const user = await signUp();
  const { answers, credits } = createStrongroom(user.client);
  const { data, error } = await answers.start({ message: "Name three lakes [words=3]" });
  assert.equal(error, null);
  assert.deepEqual(data.message?.content, [
    { type: "step-start" },
    { type: "text", text: "This answer comes", state: "done" },
  ]);
  assert.deepEqual([data.entry?.unit, data.entry?.amount], ["credits", -data.answer.credits!]);
  assert.equal((await credits.balance()).data?.balance, data.entry?.balance_after);

  const again = await answers.start({
    conversation_id: data.answer.conversation_id!,
    trigger: "regenerate-message",
    model: "no-such-model",
  });
  assert.equal(again.error?.code, "unknown_model");
});

test("client: an answer is stopped by the id of its conversation, and keeps its text", async () => {
  const user = await signUp();
  const { answers } = createStrongroom(user.client);
  const id = crypto.randomUUID();
  const whole = answers.start({ id, message: "Tell me much [words=2000] [pace=20]" });
  // The first part may have the beginning of the step only.
  await until(async () =>
    JSON.stringify((await user.client.from("answer_parts").select("pieces")).data).includes("This")
  );
  const stopped = await answers.stop(id).throwOnError();
  assert.deepEqual([stopped.answer.state, stopped.message?.status], ["stopped", "aborted"]);
  assert.deepEqual((await whole).data, stopped);
  assert.deepEqual(await answers.stop(id).throwOnError(), stopped);
});

test("client: an ephemeral answer is in its response only", async () => {
  const user = await signUp();
  const { answers } = createStrongroom(user.client);
  const ended = await answers.ephemeral({
    messages: [{ role: "user", parts: [{ type: "text", text: "Between us [words=3]" }] }],
  }).throwOnError();
  assert.deepEqual([ended.text, ended.message], ["This answer comes", null]);
  assert.deepEqual((await user.client.from("messages").select("id")).data, []);
});

test("client: after a lost response, an answer is asked for again and charged once, an ephemeral one is not", async () => {
  await using proxy = startProxy((_route, count) => count < 1 ? "lose answer" : "deliver");
  const user = await signUp();
  const { answers } = losing(proxy, user);
  const { answer } = await answers.start({ message: "Hello [words=3]" }).throwOnError();
  const { error } = await answers.ephemeral({ messages: [{ role: "user", content: "[words=3]" }] });
  assert.deepEqual([error?.code, error?.repeat], ["unreachable", undefined]);

  const routes = proxy.requests.map(({ route }) => route);
  assert.deepEqual(routes, ["POST /answers", "POST /answers", "POST /answers/ephemeral"]);
  assert.equal(proxy.requests[0]?.key, proxy.requests[1]?.key);
  const { data } = await user.client.from("answers").select("id").eq("ephemeral", false);
  assert.deepEqual(data, [{ id: answer.id }]);
});
