import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, type TestUser } from "../_testing/testing.ts";
import { withinOneDay } from "./days_testing.ts";

const service = serviceClient();

const month = await withinOneDay();

async function charged(amounts: [amount: number, description: string][]): Promise<TestUser> {
  const user = await signUp();
  for (const [amount, description] of amounts) {
    await invoke(service, "credits/deduct", { body: { user_id: user.id, amount, description } });
  }
  return user;
}

test("GET /credits/statement adds up from the opening to the closing balance of a month", async () => {
  const user = await charged([[10.5, "One"], [20, "Two"]]);
  const { status, body } = await invoke(user.client, `credits/statement?month=${month}`);
  assert.equal(status, 200);
  const { account_id, entries, ...sums } = body;
  assert.ok(account_id);
  assert.deepEqual(sums, {
    month,
    opening_balance: 0,
    closing_balance: 69.5,
    granted: 100,
    charged: -30.5,
    refunded: 0,
    expired: 0,
    voided: 0,
    transferred: 0,
    entry_count: 3,
    next_after: null,
    unit: "credits",
  });
  assert.deepEqual(
    entries.map((entry: Record<string, unknown>) => [entry.entry_no, entry.kind, entry.amount]),
    [[1, "grant", 100], [2, "deduct", -10.5], [3, "deduct", -20]],
  );
  const before = await invoke(user.client, "credits/statement?month=2025-01");
  assert.equal(before.body.entry_count, 0);
  const byService = await invoke(
    service,
    `credits/statement?month=${month}&user_id=${user.id}`,
  );
  assert.deepEqual(byService.body, body);
});

test("GET /credits/statement returns pages, each starting where the last one ended", async () => {
  const user = await charged([[1, "a"], [1, "b"], [1, "c"], [1, "d"]]);
  const numbers: number[] = [];
  for (let after: number | null = 0; after !== null;) {
    const path: string = `credits/statement?month=${month}&limit=2&after=${after}`;
    const { body } = await invoke(user.client, path);
    assert.equal(body.entry_count, 5);
    numbers.push(...body.entries.map((entry: { entry_no: number }) => entry.entry_no));
    after = body.next_after;
  }
  assert.deepEqual(numbers, [1, 2, 3, 4, 5]);
});

test("GET /credits/statement returns CSV of all pages if asked for it, with formulas escaped", async () => {
  const user = await charged([[1, '=HYPERLINK("x")'], [2, 'Two, "quoted"\nlines'], [3, "Three"]]);
  const { status, headers, body } = await invoke(
    user.client,
    `credits/statement?month=${month}&limit=2`,
    { headers: { accept: "text/csv" } },
  );
  assert.equal(status, 200);
  assert.equal(headers.get("content-type"), "text/csv; charset=utf-8");
  assert.match(headers.get("content-disposition") ?? "", /credits-\d{4}-\d\d\.csv/);
  const text: string = body instanceof Blob ? await body.text() : body;
  const [header, ...lines] = text.trimEnd().split("\r\n");
  assert.equal(
    header,
    "entry_no,created_at,kind,amount,balance_after,sku,quantity,unit_price,items,description,actor,actor_id,refund_of,counterpart",
  );
  assert.deepEqual(lines.map((line) => line.split(",")[0]), ["1", "2", "3", "4"]);
  assert.match(lines[1] ?? "", /,deduct,-1,99,,,,,"'=HYPERLINK\(""x""\)",service,/);
  assert.match(lines[2] ?? "", /,deduct,-2,97,,,,,"Two, ""quoted""\nlines",service,/);
  const empty = await invoke(user.client, "credits/statement?month=2025-01", {
    headers: { accept: "text/csv" },
  });
  const emptyText: string = empty.body instanceof Blob ? await empty.body.text() : empty.body;
  assert.equal(emptyText, `${header}\r\n`);
});

test("GET /credits/statement refuses an invalid month, and a plain member of the team", async () => {
  const user = await signUp();
  for (
    const query of ["", "month=2026", "month=2026-13", "month=2026-1", `month=${month}&limit=0`]
  ) {
    const { status, body } = await invoke(user.client, `credits/statement?${query}`);
    assert.equal(status, 422, query);
    assert.equal(body.code, "invalid_request", query);
  }
  const other = await signUp();
  const named = await invoke(
    user.client,
    `credits/statement?month=${month}&user_id=${other.id}`,
  );
  assert.equal(named.body.code, "invalid_request");

  const { data: team } = await service.from("teams").insert({ name: "T" }).select().single();
  const team_id = team?.id ?? "";
  await service.from("team_members").insert([
    { team_id, user_id: other.id, role: "owner" },
    { team_id, user_id: user.id, role: "member" },
  ]);
  const path = `credits/statement?month=${month}&team_id=${team_id}`;
  assert.equal((await invoke(other.client, path)).status, 200);
  const refused = await invoke(user.client, path);
  assert.equal(refused.status, 403);
  assert.equal(refused.body.code, "not_team_admin");
});
