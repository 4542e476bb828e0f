import assert from "node:assert/strict";

import {
  type Answer,
  cronClient,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";

const service = serviceClient();
const HELD = 20;

/** An answer that a service has begun: a hold, and a draft in a conversation of the user. */
interface Begun {
  user: TestUser;
  conversation_id: string;
  hold_id: string;
  /** Route of the draft. */
  draft: string;
  message_id: string;
}

async function begin(expires_in = 900): Promise<Begun> {
  const user = await signUp();
  const { body: { conversation } } = await invoke(user.client, "conversations", {
    body: { message: { role: "user", content: "How do I sleep better?" } },
  });
  const { body: hold } = await invoke(service, "credits/holds", {
    body: { user_id: user.id, amount: HELD, expires_in },
  });
  const messages = `conversations/${conversation.id}/messages`;
  const { body: { messages: [message] } } = await invoke(service, messages, {
    body: { user_id: user.id, role: "assistant", content: "", status: "streaming" },
  });
  const draft = `${messages}/${message.id}`;
  const written = await invoke(service, draft, {
    method: "PATCH",
    body: { user_id: user.id, content: "Try going to bed at the same time." },
  });
  assert.equal(written.status, 200);
  const { id: hold_id } = hold;
  return { user, conversation_id: conversation.id, hold_id, draft, message_id: message.id };
}

function settle(
  { user, hold_id, draft }: Begun,
  amount: number,
  ending = "finish",
): Promise<Answer> {
  return invoke(service, `${draft}/${ending}`, {
    body: { user_id: user.id, content: "The whole answer", settle: { hold_id, amount } },
  });
}

async function statementOf({ user }: Begun) {
  const { balance, held } = (await invoke(user.client, "credits")).body;
  const { data } = await user.client.from("credit_transactions").select("kind, amount")
    .neq("kind", "grant").order("entry_no");
  return { balance, held, entries: data };
}

/** Lets the hold expire, and more time pass than a draft may stay unchanged. */
function wait({ hold_id, message_id }: Begun): Promise<void> {
  return withDatabase(async (sql) => {
    await sql.begin(async (sql) => {
      const [hold] =
        await sql`update private.credit_holds set created_at = created_at - interval '1 h',
        expires_at = clock_timestamp() where id = ${hold_id} returning account_id`;
      await sql`update credit_accounts set next_due_at = clock_timestamp() where id = ${hold?.account_id}`;
      await sql`alter table messages disable trigger update_messages_updated_at`;
      await sql`update messages set updated_at = now() - interval '1 h' where id = ${message_id}`;
      await sql`alter table messages enable trigger update_messages_updated_at`;
    });
  });
}

/** What can happen to an answer before the service settles it, and the status of the message then. */
const MEANWHILE: [what: string, happen: (begun: Begun) => Promise<unknown>, status?: string][] = [
  ["nothing", () => Promise.resolve(), "complete"],
  ["the user aborts it", async ({ user, draft }) => {
    assert.equal((await invoke(user.client, `${draft}/abort`, { body: {} })).status, 200);
  }, "complete"],
  ["the user finishes it", async ({ user, draft }) => {
    assert.equal((await invoke(user.client, `${draft}/finish`, { body: {} })).status, 200);
  }, "complete"],
  ["the user deletes the draft", async ({ user, message_id }) => {
    const { data } = await user.client.from("messages").delete().eq("id", message_id).select("id");
    assert.equal(data?.length, 1);
  }],
  ["the user deletes the conversation", async ({ user, conversation_id }) => {
    const { data } = await user.client.from("conversations").delete().eq("id", conversation_id)
      .select("id");
    assert.equal(data?.length, 1);
  }],
  ["the process is killed, the hold expires, and the cleanup aborts the draft", async (begun) => {
    await wait(begun);
    const { status } = await invoke(cronClient(), "cleanup", { body: { jobs: ["stale_drafts"] } });
    assert.equal(status, 200);
    const { data } = await begun.user.client.from("messages").select("status")
      .eq("id", begun.message_id);
    assert.deepEqual(data, [{ status: "aborted" }]);
  }, "complete"],
];

test("an answer is paid for exactly once, whatever the user has done meanwhile", async () => {
  for (const [what, happen, status] of MEANWHILE) {
    const begun = await begin();
    await happen(begun);
    const settled = await settle(begun, 12.5);
    assert.equal(settled.status, 200, `${what}: ${JSON.stringify(settled.body)}`);
    assert.equal(settled.body.entry.amount, -12.5, what);
    const { messages } = settled.body;
    assert.deepEqual(messages.map((message: { status: string }) => message.status), [
      ...(status ? [status] : []),
    ], what);
    assert.deepEqual((await settle(begun, 12.5)).body, settled.body, `${what}, again`);
    assert.deepEqual(await statementOf(begun), {
      balance: 87.5,
      held: 0,
      entries: [{ kind: "capture", amount: -12.5 }],
    }, what);
  }
});

test("a user's abort frees nothing, and the service says how the answer ends", async () => {
  const begun = await begin();
  const { user, draft } = begun;
  await invoke(user.client, `${draft}/abort`, { body: {} });
  assert.equal((await invoke(user.client, "credits")).body.held, HELD);
  const written = await invoke(service, draft, {
    method: "PATCH",
    body: { user_id: user.id, content: "More" },
  });
  assert.equal(written.body.code, "message_finished");
  const aborted = await settle(begun, 3, "abort");
  assert.equal(aborted.status, 200);
  const [{ status, content }] = aborted.body.messages;
  assert.deepEqual({ status, content }, { status: "aborted", content: "The whole answer" });
  // A second hold does not pay for the same answer.
  const { body: { id: hold_id } } = await invoke(service, "credits/holds", {
    body: { user_id: user.id, amount: 5 },
  });
  assert.equal((await settle({ ...begun, hold_id }, 5)).body.code, "message_settled");
});

test("an answer whose hold has expired costs what is left, and its entry says what was asked", async () => {
  const begun = await begin();
  await wait(begun);
  await invoke(service, "credits/deduct", { body: { user_id: begun.user.id, amount: 95 } });
  const settled = await settle(begun, 12.5);
  assert.equal(settled.body.entry.amount, -5);
  assert.deepEqual((await settle(begun, 12.5)).body, settled.body);
  const { data } = await begun.user.client.from("credit_transactions")
    .select("kind, amount, requested_amount").eq("entry_no", settled.body.entry.entry_no);
  assert.deepEqual(data, [{ kind: "capture", amount: -5, requested_amount: 12.5 }]);

  const broke = await begin();
  await wait(broke);
  await invoke(service, "credits/deduct", { body: { user_id: broke.user.id, amount: 100 } });
  const { status, body } = await settle(broke, 12.5);
  assert.deepEqual([status, body.messages[0].status, body.entry], [200, "complete", null]);
});

test("a deleted account has nothing left to settle", async () => {
  const begun = await begin();
  await withDatabase((sql) => sql`delete from auth.users where id = ${begun.user.id}`);
  const { status, body } = await settle(begun, 12.5);
  assert.deepEqual([status, body.code], [404, "hold_not_found"]);
});

test("a sum of floating-point numbers is an amount, and 0 releases the hold", async () => {
  const begun = await begin();
  const settled = await settle(begun, 0.1 + 0.2);
  assert.equal(settled.body.entry.amount, -0.3);
  const { data } = await begun.user.client.from("credit_transactions").select("requested_amount")
    .eq("kind", "capture");
  assert.deepEqual(data, [{ requested_amount: 0.1 + 0.2 }]);

  const cached = await begin();
  const free = await settle(cached, 0);
  assert.deepEqual([free.status, free.body.messages[0].status, free.body.entry], [
    200,
    "complete",
    null,
  ]);
  assert.deepEqual((await settle(cached, 0)).body, free.body);
  assert.deepEqual(await statementOf(cached), { balance: 100, held: 0, entries: [] });
});

test("every route that takes an amount from a service rounds it half up", async () => {
  const { id: user_id, client } = await signUp();
  const call = async (method: "POST" | "PUT", path: string, body: object) => {
    const answer = await invoke(service, `credits/${path}`, { method, body });
    assert.ok(answer.status < 300, `${path}: ${JSON.stringify(answer.body)}`);
    return answer.body;
  };
  const float = 0.1 + 0.2;
  const hold = await call("POST", "holds", { user_id, amount: float });
  assert.equal(hold.amount, 0.3);
  assert.equal((await call("POST", `holds/${hold.id}/capture`, { amount: 0.00005 })).amount, -1e-4);
  const charge = await call("POST", "deduct", { user_id, amount: 1234 * 0.000003 });
  assert.equal(charge.amount, -0.0037);
  const whole = await call("POST", "deduct", { user_id, amount: 1 });
  const { account_id, entry_no } = whole;
  assert.equal(
    (await call("POST", "refunds", { account_id, entry_no, amount: float })).amount,
    0.3,
  );
  assert.equal((await call("POST", "grants", { user_id, amount: float })).amount, 0.3);
  const overdraft = await call("PUT", "overdraft", { user_id, overdraft_limit: float });
  assert.equal(overdraft.overdraft_limit, 0.3);
  assert.equal((await call("PUT", "alert", { user_id, threshold: float })).alert_threshold, 0.3);

  const released = await call("POST", "holds", { user_id, amount: 5 });
  const nothing = await call("POST", `holds/${released.id}/capture`, { amount: 0.00004 });
  assert.deepEqual([nothing.entry_no, nothing.amount], [null, 0]);
  assert.equal((await invoke(client, "credits")).body.held, 0);
  for (const path of ["deduct", "holds", "grants"]) {
    const { status } = await invoke(service, `credits/${path}`, { body: { user_id, amount: 0 } });
    assert.equal(status, 422, path);
  }
});
