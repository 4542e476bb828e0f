import assert from "node:assert/strict";

import {
  createPrice,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
} from "../_testing/testing.ts";
import { withinOneDay } from "./days_testing.ts";

const service = serviceClient();
const IMAGES = "test_images";

/** Creates a price in a unit, which it adds if it is not there yet. */
async function priceIn(unit: string, price: number): Promise<string> {
  await service.from("credit_units").upsert({ unit }, {
    onConflict: "unit",
    ignoreDuplicates: true,
  });
  const sku = await createPrice(price);
  const { error } = await service.from("credit_prices").update({ credit_unit: unit })
    .eq("sku", sku);
  if (error) throw error;
  return sku;
}
const image = await priceIn(IMAGES, 2);

/** Signs up a user who has images, and the 100 credits of a new account. */
async function userWithImages(amount = 10): Promise<TestUser> {
  const user = await signUp();
  const granted = await grant({ user_id: user.id, amount, unit: IMAGES });
  assert.deepEqual([granted.status, granted.body.unit], [201, IMAGES]);
  return user;
}

const grant = (body: object) => invoke(service, "credits/grants", { body });
const balance = async (user: TestUser, query = "") => {
  const { status, body } = await invoke(user.client, `credits${query}`);
  return [status, body.unit, body.balance, body.available];
};

test("a price in images is paid with images, and credits stay what they are", async () => {
  const user = await userWithImages();
  const items = [{ sku: image, quantity: 3 }];
  const quote = await invoke(user.client, "credits/quote", { body: { items } });
  assert.deepEqual([quote.body.unit, quote.body.total, quote.body.available], [IMAGES, 6, 10]);
  const charge = await invoke(user.client, "credits/deduct", { body: { items } });
  assert.deepEqual([charge.status, charge.body.unit, charge.body.balance_after], [200, IMAGES, 4]);
  assert.deepEqual(await balance(user), [200, undefined, 100, 100]);
  assert.deepEqual(await balance(user, `?unit=${IMAGES}`), [200, IMAGES, 4, 4]);
  const more = await invoke(user.client, "credits/deduct", { body: { items } });
  assert.deepEqual([more.status, more.body.code, more.body.available], [
    402,
    "insufficient_credits",
    4,
  ]);
  const { data } = await user.client.from("user_credits").select("balance").single();
  assert.deepEqual(data, { balance: 100 });
  const { data: all } = await user.client.from("credit_balances").select("unit, balance")
    .order("unit");
  assert.deepEqual(all, [{ unit: "credits", balance: 100 }, { unit: IMAGES, balance: 4 }]);
});

test("a charge that mixes units is refused, and one in an unknown unit", async () => {
  const user = await userWithImages();
  const sku = await createPrice(1);
  for (
    const [body, code] of [
      [{ items: [{ sku, quantity: 1 }, { sku: image, quantity: 1 }] }, "unit_mismatch"],
      [{ sku: image, quantity: 1, unit: "credits" }, "unit_mismatch"],
      [{ amount: 1, unit: "no_such_unit" }, "unknown_unit"],
      [{ amount: 1, unit: "No such unit" }, "invalid_request"],
    ] as const
  ) {
    const answer = await invoke(service, "credits/deduct", { body: { user_id: user.id, ...body } });
    assert.deepEqual([answer.status, answer.body.code], [422, code]);
  }
  assert.deepEqual(await balance(user, `?unit=${IMAGES}`), [200, IMAGES, 10, 10]);
  assert.deepEqual(await balance(user), [200, undefined, 100, 100]);
});

test("GET /credits has zeros for a unit in which the user never had anything", async () => {
  const user = await signUp();
  const { status, body } = await invoke(user.client, `credits?unit=${IMAGES}`);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    user_id: user.id,
    unit: IMAGES,
    balance: 0,
    held: 0,
    available: 0,
    overdraft_limit: 0,
    scoped: 0,
    account_id: null,
    updated_at: null,
  });
  const unknown = await invoke(user.client, "credits?unit=no_such_unit");
  assert.deepEqual([unknown.status, unknown.body.code], [422, "unknown_unit"]);
  const nobody = await invoke(service, `credits?unit=${IMAGES}&user_id=${crypto.randomUUID()}`);
  assert.deepEqual([nobody.status, nobody.body.code], [404, "account_not_found"]);
});

test("holds, captures, refunds and transfers stay in their unit", async () => {
  const [user, other] = await Promise.all([userWithImages(), signUp()]);
  const body = { user_id: user.id, amount: 8, unit: IMAGES };
  const hold = await invoke(service, "credits/holds", { body });
  assert.deepEqual([hold.status, hold.body.unit], [201, IMAGES]);
  assert.deepEqual(await balance(user, `?unit=${IMAGES}`), [200, IMAGES, 10, 2]);
  const capture = (body: object) =>
    invoke(service, `credits/holds/${hold.body.id}/capture`, { body });
  const sku = await createPrice(1);
  const mixed = await capture({ items: [{ sku, quantity: 1 }] });
  assert.deepEqual([mixed.status, mixed.body.code], [422, "unit_mismatch"]);
  const captured = await capture({ items: [{ sku: image, quantity: 2 }] });
  assert.deepEqual([captured.body.unit, captured.body.amount], [IMAGES, -4]);
  const { account_id, entry_no } = captured.body;
  const refund = await invoke(service, "credits/refunds", { body: { account_id, entry_no } });
  assert.deepEqual([refund.body.unit, refund.body.amount], [IMAGES, 4]);
  const moved = await invoke(service, "credits/transfers", {
    body: { from_user_id: user.id, to_user_id: other.id, amount: 3, unit: IMAGES },
  });
  assert.deepEqual([moved.status, moved.body.unit, moved.body.balance_after], [200, IMAGES, 7]);
  assert.deepEqual(await balance(other, `?unit=${IMAGES}`), [200, IMAGES, 3, 3]);
  assert.deepEqual(await balance(other), [200, undefined, 100, 100]);
});

test("an overdraft, an alert and a statement are of the unit that they name", async () => {
  const month = await withinOneDay();
  const user = await userWithImages();
  const overdraft = await invoke(service, "credits/overdraft", {
    method: "PUT",
    body: { user_id: user.id, overdraft_limit: 5, unit: IMAGES },
  });
  assert.deepEqual([overdraft.body.unit, overdraft.body.available], [IMAGES, 15]);
  const alert = await invoke(user.client, "credits/alert", {
    method: "PUT",
    body: { threshold: 12, unit: IMAGES },
  });
  assert.deepEqual([alert.status, alert.body.unit], [200, IMAGES]);
  await invoke(service, "credits/deduct", {
    body: { user_id: user.id, amount: 4, unit: IMAGES },
  });
  const { data } = await user.client.from("credit_alerts").select("unit, threshold, available");
  assert.deepEqual(data, [{ unit: IMAGES, threshold: 12, available: 11 }]);
  const path = `credits/statement?month=${month}&unit=${IMAGES}`;
  const statement = await invoke(user.client, path);
  assert.deepEqual(
    [
      statement.body.unit,
      statement.body.granted,
      statement.body.charged,
      statement.body.entry_count,
    ],
    [IMAGES, 10, -4, 2],
  );
  const csv = await invoke(user.client, path, { headers: { accept: "text/csv" } });
  assert.equal(
    csv.headers.get("content-disposition"),
    `attachment; filename="${IMAGES}-${month}.csv"`,
  );
  const credits = await invoke(user.client, `credits/statement?month=${month}`);
  assert.deepEqual([credits.body.unit, credits.body.closing_balance], ["credits", 100]);
});

test("an owner limits a member in images with an upsert, which leaves the limit in credits alone", async () => {
  await withinOneDay();
  const [owner, member] = await Promise.all([signUp(), signUp()]);
  const { data: team } = await service.from("teams").insert({ name: "Team" }).select().single();
  const team_id = team?.id ?? "";
  await service.from("team_members").insert([
    { team_id, user_id: owner.id, role: "owner" },
    { team_id, user_id: member.id, role: "member" },
  ]);
  await grant({ team_id, amount: 100, unit: IMAGES });
  const limit = { team_id, user_id: member.id, unit: IMAGES, period: "day" };
  for (const credit_limit of [100, 5]) {
    const { error } = await owner.client.from("credit_unit_limits")
      .upsert({ ...limit, credit_limit }, { onConflict: "team_id,user_id,unit" });
    assert.equal(error, null);
  }
  const buy = (quantity: number) =>
    invoke(member.client, "credits/deduct", { body: { sku: image, quantity, team_id } });
  assert.equal((await buy(2)).status, 200);
  const refused = await buy(1);
  assert.deepEqual([refused.status, refused.body.code, refused.body.available], [
    402,
    "member_limit_exceeded",
    1,
  ]);
  const { data } = await member.client.from("team_member_balances")
    .select("unit, credit_limit, spent, available").eq("team_id", team_id).order("unit");
  assert.deepEqual(data, [
    { unit: "credits", credit_limit: null, spent: 0, available: null },
    { unit: IMAGES, credit_limit: 5, spent: 4, available: 1 },
  ]);
  const quote = await invoke(member.client, "credits/quote", {
    body: { team_id, items: [{ sku: image, quantity: 1 }] },
  });
  assert.deepEqual([quote.body.member_available, quote.body.affordable], [1, false]);
});
