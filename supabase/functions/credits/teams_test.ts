import assert from "node:assert/strict";

import {
  createPrice,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";

const service = serviceClient();

/** Creates a team with an owner, a member and 100 credits. */
async function team() {
  const [owner, member, stranger] = await Promise.all([signUp(), signUp(), signUp()]);
  const { data } = await service.from("teams").insert({ name: "Team" }).select().single();
  const team_id = data?.id ?? "";
  const join = (user: TestUser, role: string) => ({ team_id, user_id: user.id, role });
  const { error } = await service.from("team_members")
    .insert([join(owner, "owner"), join(member, "member")]);
  assert.equal(error, null);
  const granted = await invoke(service, "credits/grants", { body: { team_id, amount: 100 } });
  assert.equal(granted.status, 201);
  return { team_id, owner, member, stranger };
}

test("a member spends from the team's account, up to their own limit", async () => {
  const { team_id, owner, member, stranger } = await team();
  const sku = await createPrice(20);
  const deduct = (user: TestUser) =>
    invoke(user.client, "credits/deduct", { body: { sku, quantity: 1, team_id } });
  const { error } = await owner.client.from("credit_member_limits").update({ credit_limit: 30 })
    .eq("team_id", team_id).eq("user_id", member.id);
  assert.equal(error, null);

  const charge = await deduct(member);
  assert.equal(charge.status, 200);
  assert.equal(charge.body.actor_id, member.id);
  assert.equal(charge.body.balance_after, 80);
  const refused = await deduct(member);
  assert.equal(refused.status, 402);
  assert.equal(refused.body.code, "member_limit_exceeded");
  assert.equal(refused.body.available, 10);
  assert.equal((await deduct(owner)).body.balance_after, 60);
  const strange = await deduct(stranger);
  assert.equal(strange.status, 404);
  assert.equal(strange.body.code, "account_not_found");
});

test("a charge that waits for the account is refused if the member leaves meanwhile", async () => {
  const { team_id, member } = await team();
  const charge = await withDatabase((sql) =>
    sql.begin(async (transaction) => {
      await transaction`select 1 from credit_accounts where team_id = ${team_id} for no key update`;
      const request = invoke(service, "credits/deduct", {
        body: { user_id: member.id, team_id, amount: 90 },
      });
      await until(async () => {
        const [row] = await transaction`select 1 from pg_locks where not granted`;
        return row !== undefined;
      });
      await service.from("team_members").delete().eq("user_id", member.id);
      return { request };
    })
  ).then(({ request }) => request);
  assert.equal(charge.status, 402);
  assert.equal(charge.body.code, "member_limit_exceeded");
  assert.equal((await invoke(service, `credits?team_id=${team_id}`)).body.balance, 100);
});

test("a member sees the team's balance and their own entries, an owner all entries, a stranger nothing", async () => {
  const { team_id, owner, member, stranger } = await team();
  for (const user of [owner, member]) {
    await invoke(service, "credits/deduct", { body: { user_id: user.id, team_id, amount: 5 } });
  }
  for (const user of [owner, member]) {
    const { status, body } = await invoke(user.client, `credits?team_id=${team_id}`);
    assert.equal(status, 200);
    assert.equal(body.team_id, team_id);
    assert.equal(body.available, 90);
  }
  assert.equal((await invoke(service, `credits?team_id=${team_id}`)).body.balance, 90);
  assert.equal((await invoke(stranger.client, `credits?team_id=${team_id}`)).status, 404);

  const entries = async (user: TestUser) => {
    const { body } = await invoke(owner.client, `credits?team_id=${team_id}`);
    const { data } = await user.client.from("credit_transactions").select("entry_no")
      .eq("account_id", body.account_id).order("entry_no");
    return data?.map((entry) => entry.entry_no);
  };
  assert.deepEqual(await entries(owner), [1, 2, 3]);
  assert.deepEqual(await entries(member), [3]);
  assert.deepEqual(await entries(stranger), []);
});

test("POST /credits/quote prices items and charges nothing", async () => {
  const { team_id, member, stranger } = await team();
  const [tokens, image] = await Promise.all([createPrice(0.25, 3), createPrice(20)]);
  const items = [{ sku: tokens, quantity: 1.5 }, { sku: image, quantity: 5 }];
  const own = await invoke(member.client, "credits/quote", { body: { items } });
  assert.equal(own.status, 200);
  assert.deepEqual(own.body, {
    items: [
      { sku: tokens, unit: "one", quantity: 1.5, unit_price: 0.25, amount: 0.375 },
      { sku: image, unit: "one", quantity: 5, unit_price: 20, amount: 100 },
    ],
    total: 100.375,
    available: 100,
    member_available: null,
    affordable: false,
    unit: "credits",
  });
  const cheap = { items: items.slice(0, 1) };
  const quote = await invoke(member.client, "credits/quote", { body: { ...cheap, team_id } });
  assert.equal(quote.body.affordable, true);
  const strange = await invoke(stranger.client, "credits/quote", { body: { ...cheap, team_id } });
  assert.equal(strange.status, 404);
  const asked = await invoke(service, "credits/quote", { body: { ...cheap, user_id: member.id } });
  assert.equal(asked.body.total, 0.375);
  const none = await invoke(member.client, "credits/quote", {
    body: { items: [{ sku: "no.such", quantity: 1 }] },
  });
  assert.equal(none.status, 422);
  assert.equal(none.body.code, "unknown_sku");
  assert.equal((await invoke(member.client, "credits")).body.balance, 100);
});

test("PUT /credits/alert warns once when credits fall below the threshold", async () => {
  const { team_id, owner, member } = await team();
  const alert = (user: TestUser, body: Record<string, unknown>) =>
    invoke(user.client, "credits/alert", { method: "PUT", body });
  const set = await alert(member, { threshold: 60 });
  assert.equal(set.status, 200);
  assert.equal(set.body.alert_threshold, 60);
  for (let i = 0; i < 3; i++) {
    await invoke(service, "credits/deduct", { body: { user_id: member.id, amount: 30 } });
  }
  const { data } = await member.client.from("credit_alerts").select("threshold, available");
  assert.deepEqual(data, [{ threshold: 60, available: 40 }]);
  assert.deepEqual((await owner.client.from("credit_alerts").select()).data, []);
  assert.equal((await alert(member, { threshold: null })).body.alert_threshold, null);

  assert.equal((await alert(owner, { threshold: 50, team_id })).status, 200);
  const refused = await alert(member, { threshold: 50, team_id });
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, "not_team_admin");
  const byService = await invoke(service, "credits/alert", {
    method: "PUT",
    body: { threshold: 5, user_id: owner.id },
  });
  assert.equal(byService.body.alert_threshold, 5);
});
