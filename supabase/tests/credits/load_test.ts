import assert from "node:assert/strict";

import { soak, test } from "../../functions/_testing/testing.ts";
import {
  assertAllowances,
  assertBooks,
  assertRefusals,
  isEnough,
  Journal,
} from "./load_journal_testing.ts";
import { Requests, type Weights } from "./load_requests_testing.ts";
import {
  type Account,
  again,
  atOnce,
  type Call,
  call,
  connectAsService,
  connectForDeadlocks,
  type Step,
  teamAccount,
  userAccount,
  withSession,
} from "./load_testing.ts";

const SESSIONS = 50;
const ROUNDS = Math.ceil(soak);

/** A session that makes a call on each of the accounts in turn. */
function inTurn(journal: Journal, ...accounts: Requests[]): Step {
  return async (sql) => {
    for (const requests of accounts) {
      const request = requests.next();
      const row = await journal.attempt(sql, request);
      if (row) requests.learn(request, row);
    }
  };
}

/** A session that makes a call on each of the accounts in one transaction. */
function inOneTransaction(journal: Journal, ...accounts: Requests[]): Step {
  return async (sql) => {
    const calls = accounts.map((requests) => requests.next());
    const rows = await journal.together(sql, calls);
    rows?.forEach((row, i) => accounts[i]?.learn(calls[i] as Call, row));
  };
}

/** A session that reads an account all the time, and checks its books now and then. */
function watch({ id, owner }: Account): Step {
  return async (sql) => {
    const view = sql("team_id" in owner ? "team_credits" : "user_credits");
    const [row] = await sql`
      select held, available, available >= 0 and held >= 0 as good from ${view} where account_id = ${id}`;
    assert.ok(row?.good, JSON.stringify(row));
    if (Math.random() < 0.02) {
      assert.deepEqual([...await sql`select * from credit_reconciliation(${id})`], []);
    }
  };
}

/** Does the cleanup job's work, which only the tables' owner may do outside a job. */
const settle: Step = async (sql) =>
  void await sql.begin(async (transaction) => {
    await transaction`set local role none`;
    await transaction`select private.clean_up_at_once('credit_settlement')`;
  });

function times(count: number, step: (index: number) => Step): Step[] {
  return Array.from({ length: count }, (_, index) => step(index));
}

/** Kinds of requests that create nothing that begins or ends at a later time. */
const TIMELESS: Weights = {
  deduct: 10,
  longHold: 4,
  capture: 2,
  release: 2,
  refund: 2,
  grant: 3,
  repeat: 3,
};

test("50 sessions on one account lose nothing and never make it negative", async () => {
  const account = await userAccount();
  const journal = new Journal();
  const requests = new Requests(account, TIMELESS);
  const sessions = [...times(SESSIONS - 1, () => inTurn(journal, requests)), watch(account)];
  await again(2, sessions, connectAsService, () => isEnough(journal));
  assertRefusals(journal);
  assert.equal(journal.deadlocks.alone, 0);
  await assertBooks([account], journal);
});

test("50 sessions on two accounts in opposite order never deadlock with a call per transaction", async () => {
  const [one, two] = [await userAccount(), await teamAccount()];
  const journal = new Journal();
  const [a, b] = [new Requests(one, TIMELESS), new Requests(two, TIMELESS)];
  const sessions = [
    ...times(24, () => inTurn(journal, a, b)),
    ...times(24, () => inTurn(journal, b, a)),
    watch(one),
    watch(two),
  ];
  await again(1, sessions, connectAsService, () => isEnough(journal));
  assertRefusals(journal);
  assert.equal(journal.deadlocks.alone, 0);
  await assertBooks([one, two], journal);
  await assertAllowances(two);
});

test("transactions that deadlock on two accounts leave no changes", async () => {
  const [one, two] = [await userAccount(), await teamAccount()];
  const journal = new Journal();
  const weights = { ...TIMELESS, grant: 10, repeat: 0 };
  const [a, b] = [new Requests(one, weights), new Requests(two, weights)];
  const [c, d] = [new Requests(one, weights), new Requests(two, weights)];
  await again(
    1,
    [
      ...times(5, () => inOneTransaction(journal, c, d)),
      ...times(5, () => inOneTransaction(journal, d, c)),
      ...times(19, () => inTurn(journal, a, b)),
      ...times(19, () => inTurn(journal, b, a)),
      watch(one),
      watch(two),
    ],
    (index) => index < 10 ? connectForDeadlocks() : connectAsService(),
    () => journal.deadlocks.together > 0 && isEnough(journal),
  );
  // PostgreSQL may abort any session of the cycle, even one that holds nothing yet.
  assert.ok(journal.deadlocks.together > 0);
  assertRefusals(journal);
  await assertBooks([one, two], journal);
  await assertAllowances(two);
});

test("charges, captures, refunds and grants and holds that end at the same moment add up", async () => {
  const account = await userAccount();
  const journal = new Journal();
  const requests = new Requests(account, {
    deduct: 12,
    hold: 8,
    capture: 4,
    release: 2,
    refund: 5,
    shortGrant: 5,
    laterGrant: 2,
    void: 1,
    overdraft: 1,
    repeat: 3,
  });
  const sessions = [
    ...times(SESSIONS - 3, () => inTurn(journal, requests)),
    settle,
    settle,
    watch(account),
  ];
  await again(2, sessions, connectAsService, () => isEnough(journal));
  // A grant can have ended before its call ran.
  assertRefusals(journal, "PT422 invalid_grant");
  assert.equal(journal.deadlocks.alone, 0);
  await assertBooks([account], journal);
});

test("50 concurrent charges across a threshold raise one alert, and one more after a top-up", async () => {
  const account = await userAccount();
  const ask = (name: string, args: Record<string, unknown>): Step => (sql) =>
    call(sql, { name, args: { ...account.owner, ...args } });
  const alerts = () =>
    withSession((sql) =>
      sql`select available from credit_alerts where account_id = ${account.id} order by created_at`
    );
  await withSession(ask("set_credit_alert", { threshold: 30 }));
  for (let round = 1; round <= ROUNDS; round++) {
    await atOnce(
      times(
        SESSIONS,
        (index) =>
          index % 2 ? ask("deduct_credits", { amount: 2 }) : ask("hold_credits", { amount: 2 }),
      ),
    );
    assert.deepEqual((await alerts()).map((row) => Number(row.available)), Array(round).fill(28));
    await withSession(ask("grant_credits", { amount: 100 }));
  }
  await atOnce(times(SESSIONS, () => ask("deduct_credits", { amount: 2 })));
  assert.equal((await alerts()).length, ROUNDS + 1);
});

test("20 sessions that refund parts of one charge never refund more than the charge", async () => {
  for (let round = 1; round <= ROUNDS; round++) {
    const account = await userAccount();
    const charge = await withSession(async (sql) => {
      for (const priority of [10, 20]) {
        await call(sql, { name: "grant_credits", args: { ...account.owner, amount: 4, priority } });
      }
      return await call(sql, { name: "deduct_credits", args: { ...account.owner, amount: 10 } });
    });
    const journal = new Journal();
    const refund = (amount?: number): Step => (sql) => {
      const args = { account_id: account.id, entry_no: charge.entry_no, amount };
      return journal.attempt(sql, { name: "refund_credits", args });
    };
    const parts = await atOnce(times(20, () => refund(0.7)));
    assert.equal(parts.filter((row) => row !== undefined).length, 14);
    const rests = await atOnce(times(20, () => refund()));
    assert.equal(rests.filter((row) => row !== undefined).length, 1);
    assert.deepEqual([...journal.refusals], [["PT422 refund_exceeds_charge", 25]]);
    await withSession(async (sql) => {
      const [row] = await sql`select balance from credit_accounts where id = ${account.id}`;
      assert.equal(Number(row?.balance), 108);
      assert.deepEqual([...await sql`select * from credit_reconciliation(${account.id})`], []);
    });
  }
});
