import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import { functionsUrl, invoke, serviceClient, signUp, stack, test } from "../_testing/testing.ts";

const service = serviceClient();

/** Sends a body as it is, for JSON that `JSON.stringify` does not write. */
async function send(token: string, method: string, path: string, body: string) {
  const response = await fetchChecked(`${functionsUrl}/${path}`, {
    method,
    headers: { authorization: `Bearer ${token}`, apikey: stack.publishableKey },
    body,
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

/** JSON of nested arrays. */
const nested = (levels: number) => "[".repeat(levels) + "]".repeat(levels);

test("a body that is nested more than 128 levels deep is refused by every route that takes content", async () => {
  const user = await signUp();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const path = `projects/${project!.id}/messages`;
  const message = (levels: number) => `{"role": "user", "content": ${nested(levels)}}`;
  const saved = await send(user.token, "POST", path, message(127));
  assert.equal(saved.status, 201);
  const one = `${path}/${saved.body.messages[0].id}`;
  for (const levels of [128, 3_000, 100_000]) {
    const content = `{"content": ${nested(levels)}}`;
    const routes = [
      ["POST", path, message(levels)],
      ["POST", path, `{"messages": [${message(levels)}]}`],
      ["POST", path, `{"role": "user", "content": 1, "metadata": {"a": ${nested(levels)}}}`],
      ["PUT", one, content],
      ["PATCH", one, content],
      ["POST", `${one}/finish`, content],
      ["POST", "conversations", `{"message": ${message(levels)}}`],
      ["POST", "credits/deduct", `{"sku": "x", "quantity": 1, "metadata": ${nested(levels)}}`],
    ] as const;
    for (const [method, route, body] of routes) {
      const answer = await send(user.token, method, route, body);
      assert.deepEqual(
        [answer.status, answer.body.code, answer.body.deepest],
        [422, "nested_too_deep", 128],
        `${method} ${route} with ${levels} levels`,
      );
    }
  }
});

test("characters that the database cannot hold are replaced, and the response says how many", async () => {
  const user = await signUp();
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const path = `projects/${project!.id}/messages`;
  // A tool's output with NUL, an emoji cut in half, in a value and in a name; whole emoji and escapes stay.
  const bad = { "a\0": ["x\0y", { text: "cut \ud83d" }, "\ude00 cut"], good: "😀 \\u0000 \n" };
  const good = { "a\ufffd": ["x\ufffdy", { text: "cut \ufffd" }, "\ufffd cut"], good: bad.good };
  const message = { role: "assistant", content: bad };
  const said = (answer: { headers: Headers }) => answer.headers.get("replaced-characters");

  const one = await invoke(user.client, path, { body: message });
  assert.equal(one.status, 201);
  assert.deepEqual(one.body.messages[0].content, good);
  assert.equal(said(one), "4");
  assert.match(one.headers.get("access-control-expose-headers") ?? "", /replaced-characters/);
  const batch = await invoke(user.client, path, {
    body: { messages: [message, { role: "user", content: "😀", metadata: { "\0": "\0" } }] },
  });
  assert.deepEqual([batch.status, said(batch)], [201, "6"]);
  assert.deepEqual(batch.body.messages[1].metadata, { "\ufffd": "\ufffd" });
  const plain = await invoke(user.client, path, { body: { role: "user", content: "😀 \\u0000" } });
  assert.deepEqual([plain.body.messages[0].content, said(plain)], ["😀 \\u0000", null]);
  const started = await invoke(user.client, "conversations", {
    body: { title: "T\0", message: { role: "user", content: "\0" } },
  });
  assert.deepEqual([started.body.conversation.title, said(started)], ["T\ufffd", "2"]);

  // An answer that has been paid for is never lost.
  const { data: hold } = await service.rpc("hold_credits", { user_id: user.id, amount: 5 });
  const { body: { messages: [draft] } } = await invoke(service, path, {
    body: { user_id: user.id, role: "assistant", content: "", status: "streaming" },
  });
  const patched = await invoke(service, `${path}/${draft.id}`, {
    method: "PATCH",
    body: { user_id: user.id, content: "half\ud83d" },
  });
  assert.deepEqual([patched.body.content, said(patched)], ["half\ufffd", "1"]);
  const finished = await invoke(service, `${path}/${draft.id}/finish`, {
    body: {
      user_id: user.id,
      content: "all\0",
      result_data: { output: "\0" },
      settle: { hold_id: hold?.id },
    },
  });
  assert.deepEqual([finished.status, said(finished)], [200, "2"]);
  assert.equal(finished.body.entry.amount, -5);
  const { data: row } = await user.client.from("messages").select("content, result_data")
    .eq("id", draft.id).single();
  assert.deepEqual(row, { content: "all\ufffd", result_data: { output: "\ufffd" } });
});
