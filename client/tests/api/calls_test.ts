import assert from "node:assert/strict";

import {
  anonymousClient,
  createPrice,
  serviceClient,
  signUp,
  test,
} from "../../../supabase/functions/_testing/testing.ts";
import { createStrongroom, StrongroomError } from "../../index.ts";
import { createService } from "../../service.ts";

test("client: a user reads the balance, buys, and learns from the error how much is available", async () => {
  const user = await signUp();
  const sku = await createPrice(40);
  const { credits } = createStrongroom(user.client);
  assert.equal((await credits.balance()).data?.available, 100);

  const entry = await credits.deduct({ sku, quantity: 2 }).throwOnError();
  assert.deepEqual([entry.kind, entry.amount, entry.balance_after], [
    "deduct",
    -80,
    20,
  ]);

  const { data, error } = await credits.deduct({ sku, quantity: 1 });
  assert.equal(data, null);
  assert.ok(error instanceof StrongroomError);
  assert.deepEqual([error.code, error.status, error.fields.available], [
    "insufficient_credits",
    402,
    20,
  ]);
  assert.ok(error.hint);
  assert.match(error.requestId ?? "", /^[0-9a-f-]{36}$/);
  assert.deepEqual([error.retryAfter, error.repeat], [undefined, undefined]);
  await assert.rejects(credits.deduct({ sku, quantity: 1 }).throwOnError(), {
    name: "StrongroomError",
    code: "insufficient_credits",
  });
});

test("client: calls fill in paths and queries, and send bodies", async () => {
  const user = await signUp();
  const { chats, conversations, messages, credits, keys, teams } = createStrongroom(
    user.client,
  );
  const started = await conversations.start({
    message: { role: "user", content: "Good morning" },
  })
    .throwOnError();
  const { id } = started.conversation;
  const saved = await messages.save(id, {
    messages: [{ role: "assistant", content: { text: "Hello" } }, {
      role: "user",
      content: "?",
    }],
  }).throwOnError();
  assert.deepEqual(saved.messages.map(({ content }) => content), [{ text: "Hello" }, "?"]);
  const last = saved.messages[1]!;
  const replaced = await messages.replace(id, last.id, {
    role: "user",
    content: "!",
  }, {
    headers: { "if-match": `"${last.updated_at}"` },
  }).throwOnError();
  assert.equal(replaced.content, "!");

  // Not the present one: it may have begun since the sign-up, which made the only entry.
  const { data: entry } = await user.client.from("credit_transactions").select("created_at")
    .single();
  const month = entry?.created_at?.slice(0, 7) ?? "";
  const statement = await credits.statement({ month, limit: 1 }).throwOnError();
  assert.equal(statement.entries.length, 1);

  const key = await keys.create({
    name: "Nightly",
    permissions: ["credits:read"],
  }).throwOnError();
  assert.equal((await keys.list().throwOnError()).keys[0]?.id, key.id);
  await keys.delete(key.id).throwOnError();
  assert.equal((await keys.delete(key.id)).error?.code, "key_not_found");

  // A route with a query and a body, which would be refused if the number were in the body.
  const deletion = await chats.delete(crypto.randomUUID(), { expected_version: 1 });
  assert.equal(deletion.error?.code, "chat_not_found");

  const { team } = await teams.create({ name: "Crew" }).throwOnError();
  await teams.delete(team.id, { delete_projects: true }).throwOnError();
});

test("client: a service acts for a user whom it names", async () => {
  const user = await signUp();
  const service = createService(serviceClient());
  const user_id = user.id;
  await service.credits.grant({ user_id, amount: 50 }).throwOnError();
  const hold = await service.credits.hold({ user_id, amount: 120 })
    .throwOnError();
  const captured = await service.credits.capture(hold.id, { amount: 100 })
    .throwOnError();
  assert.equal(captured.balance_after, 50);
  assert.equal(
    (await service.credits.balance({ user_id })).data?.available,
    50,
  );
});

test("client: without a user, an empty id or a signal that was sent, a call fails and says why", async () => {
  const { credits, messages } = createStrongroom(anonymousClient());
  assert.equal((await credits.balance()).error?.code, "credentials_missing");
  await assert.rejects(
    messages.save("", { role: "user", content: "a" }),
    /needs a value for id, not ""/,
  );
  const { error } = await credits.balance({}, { signal: AbortSignal.abort() });
  assert.equal(error?.code, "aborted");
});
