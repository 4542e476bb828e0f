import assert from "node:assert/strict";

import {
  anonymousClient,
  createPrice,
  invoke,
  serviceClient,
  signUp,
  test,
} from "../_testing/testing.ts";

/** What PostgREST returns to a signed-in role without permission. */
const FORBIDDEN = { status: 403, code: "42501" };

function outcome(answer: { status: number; error: { code: string } | null }) {
  return { status: answer.status, code: answer.error?.code };
}

test("a user can change no balance and no history through PostgREST", async () => {
  const user = await signUp();
  const { client } = user;
  const { data: account } = await client.from("credit_accounts").select().single();
  assert.ok(account);

  const attempts = {
    "update the balance": client.from("credit_accounts").update({ balance: 1e6 }).eq(
      "id",
      account.id,
    ),
    "update the overdraft": client.from("credit_accounts").update({ overdraft_limit: 1e6 })
      .eq("id", account.id),
    "open an account": client.from("credit_accounts").insert({ user_id: user.id, balance: 1e6 }),
    "upsert the account": client.from("credit_accounts").upsert({ ...account, balance: 1e6 }),
    "delete the account": client.from("credit_accounts").delete().eq("id", account.id),
    "write an entry": client.from("credit_transactions").insert({
      account_id: account.id,
      entry_no: 2,
      kind: "grant",
      amount: 1e6,
      balance_after: 1e6,
      actor: "system",
      created_at: new Date().toISOString(),
    }),
    "change an entry": client.from("credit_transactions").update({ amount: 1 })
      .eq("account_id", account.id),
    "delete an entry": client.from("credit_transactions").delete().eq("account_id", account.id),
    "change a price": client.from("credit_prices").update({ price: 0.0001 }).neq("sku", ""),
    "call deduct_credits": client.rpc("deduct_credits", { user_id: user.id, amount: 1 }),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    assert.deepEqual(outcome(await attempt), FORBIDDEN, what);
  }
  const internal = await client.schema("private" as "public").rpc("post_credit_entry" as never);
  assert.equal(internal.status, 406, "the schema private is not exposed");

  const { body } = await invoke(client, "credits");
  assert.equal(body.balance, 100);
  const { data: entries } = await client.from("credit_transactions").select("entry_no");
  assert.deepEqual(entries, [{ entry_no: 1 }]);
});

test("a user sees only their own account, balance and entries", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const { data: accounts } = await user.client.from("credit_accounts").select("user_id");
  assert.deepEqual(accounts, [{ user_id: user.id }]);
  const { data: credits } = await user.client.from("user_credits").select("user_id");
  assert.deepEqual(credits, [{ user_id: user.id }]);
  const { data: othersAccount } = await other.client.from("credit_accounts").select("id").single();
  assert.ok(othersAccount);
  const { data: entries } = await user.client.from("credit_transactions").select()
    .eq("account_id", othersAccount.id);
  assert.deepEqual(entries, []);
  const { data: profiles } = await user.client.from("profiles").select("id, credits");
  assert.deepEqual(profiles, [{ id: user.id, credits: 100 }]);
});

test("a caller who is not signed in sees no credits", async () => {
  const client = anonymousClient();
  for (const table of ["credit_accounts", "credit_transactions", "credit_prices", "user_credits"]) {
    const answer = await client.from(table as "credit_accounts").select();
    assert.deepEqual(outcome(answer), { status: 401, code: "42501" }, table);
  }
});

test("the secret key reads credits and writes prices, but changes balances only through functions", async () => {
  const user = await signUp();
  const service = serviceClient();
  const { data: account } = await service.from("credit_accounts").select().eq("user_id", user.id)
    .single();
  assert.ok(account);
  const attempts = {
    "update a balance": service.from("credit_accounts").update({ balance: 1 }).eq("id", account.id),
    "open an account": service.from("credit_accounts").insert({ user_id: user.id }),
    "delete an account": service.from("credit_accounts").delete().eq("id", account.id),
    "change an entry": service.from("credit_transactions").update({ amount: 1 })
      .eq("account_id", account.id),
    "delete an entry": service.from("credit_transactions").delete().eq("account_id", account.id),
  };
  for (const [what, attempt] of Object.entries(attempts)) {
    assert.deepEqual(outcome(await attempt), FORBIDDEN, what);
  }
  const sku = await createPrice(1);
  const { error } = await service.rpc("deduct_credits", { user_id: user.id, sku, quantity: 1 });
  assert.equal(error, null);
  assert.equal((await invoke(user.client, "credits")).body.balance, 99);
});

test("entries are found by their id and by the user that owns the account", async () => {
  const [user, other] = await Promise.all([signUp(), signUp()]);
  const service = serviceClient();
  for (const headers of [{}, { "idempotency-key": crypto.randomUUID() }]) {
    const body = { user_id: user.id, amount: 1 };
    assert.equal((await invoke(service, "credits/deduct", { body, headers })).status, 200);
  }
  const { data: team } = await service.from("teams").insert({ name: "T" }).select().single();
  const granted = await invoke(service, "credits/grants", {
    body: { team_id: team?.id, amount: 1 },
  });

  const { data: mine } = await user.client.from("credit_transactions").select("*")
    .eq("user_id", user.id).order("created_at", { ascending: false });
  assert.deepEqual(mine?.map(({ entry_no }) => entry_no), [3, 2, 1]);
  assert.equal(new Set(mine?.map(({ id }) => id)).size, 3);
  for (const entry of mine ?? []) {
    const { data } = await user.client.from("credit_transactions").select("*")
      .eq("id", entry.id ?? "").single();
    assert.deepEqual(data, entry);
    const hidden = await other.client.from("credit_transactions").select().eq("id", entry.id ?? "");
    assert.deepEqual(hidden.data, []);
  }
  const { data: theirs } = await service.from("credit_transactions").select("user_id")
    .eq("account_id", granted.body.account_id);
  assert.deepEqual(theirs, [{ user_id: null }]);
});
