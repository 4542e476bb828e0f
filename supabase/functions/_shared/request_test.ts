import assert from "node:assert/strict";

import { fetchChecked } from "../_testing/answers.ts";
import { functionsUrl, invoke, signUp, test, type TestUser } from "../_testing/testing.ts";

/** Sends a body as it is, and returns the status, the problem and the bytes of the response. */
async function send(user: TestUser, method: string, path: string, body: string) {
  const response = await fetchChecked(`${functionsUrl}/${path}`, {
    method,
    headers: { authorization: `Bearer ${user.token}`, "content-type": "application/json" },
    body,
  });
  const text = await response.text();
  return { status: response.status, problem: JSON.parse(text), bytes: text.length };
}

test("a list that is too long is refused as one fault, whatever its elements are", async () => {
  const user = await signUp();
  const faulty = (length: number) => new Array(length).fill(0);
  const key_id = crypto.randomUUID();
  for (
    const [method, path, body, at] of [
      ["PUT", "chats/keys", { expected_version: 0, key_id, wraps: faulty(100_000) }, "wraps"],
      ["POST", "credits/deduct", { items: faulty(400_000) }, "items"],
      ["POST", "files/downloads", { bucket: "project-files", paths: faulty(400_000) }, "paths"],
      ["DELETE", "files", { bucket: "project-files", paths: faulty(400_000) }, "paths"],
      ["POST", `projects/${key_id}/messages`, { messages: faulty(400_000) }, "messages"],
    ] as const
  ) {
    const { status, problem, bytes } = await send(user, method, path, JSON.stringify(body));
    assert.deepEqual([status, problem.code], [422, "invalid_request"], path);
    assert.deepEqual(problem.errors.map(({ path }: { path: string }) => path), [at]);
    assert.ok(bytes < 1000, path);
  }
});

test("a problem lists at most 20 faults, and no long names that the caller chose", async () => {
  const user = await signUp();
  const faults = await invoke(user.client, "credits/deduct", {
    body: { items: Array(90).fill(0) },
  });
  assert.deepEqual([faults.status, faults.body.errors.length], [422, 20]);

  const names = Object.fromEntries(Array.from({ length: 50_000 }, (_, n) => [`name_${n}`, 0]));
  for (const [method, body] of [["POST", names], ["POST", { ["x".repeat(100_000)]: 0 }]] as const) {
    const { status, bytes } = await send(user, method, "credits/deduct", JSON.stringify(body));
    assert.equal(status, 422);
    assert.ok(bytes < 10_000, `${bytes}`);
  }
  const query = await fetchChecked(`${functionsUrl}/credits?${"x".repeat(5000)}=1`, {
    headers: { authorization: `Bearer ${user.token}` },
  });
  assert.equal(query.status, 422);
  assert.ok((await query.text()).length < 1000);
});
