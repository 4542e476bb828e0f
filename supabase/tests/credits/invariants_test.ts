import assert from "node:assert/strict";

import { serviceClient, test, withDatabase } from "../../functions/_testing/testing.ts";
import {
  allocated,
  atOnce,
  booksOf,
  bothWays,
  done,
  newUser,
  posted,
  refusals,
  total,
  withoutTriggers,
} from "./invariants_testing.ts";

const UNIT = "invariant_images";
await serviceClient().from("credit_units").insert({ unit: UNIT });

test("1. every movement balances: what leaves one account arrives at another", () =>
  bothWays(async (way) => {
    const [from, to] = [await newUser(), await newUser()];
    done(await way.ask("grant", { user_id: from, amount: 10 }));
    done(await way.ask("grant", { user_id: from, amount: 5, priority: 1 }));
    const moved = { from_user_id: from, to_user_id: to, amount: 12.5 };
    const { from_entry_no, to_entry_no } = done(await way.ask("transfer", moved));
    const [given, taken] = [await booksOf(from), await booksOf(to)];
    const entries = [given.entries[from_entry_no - 1], taken.entries[to_entry_no - 1]];
    assert.deepEqual(entries.map((entry) => entry?.amount), [-12.5, 12.5]);
    for (const entry of [...given.entries, ...taken.entries]) {
      assert.equal(total(entry.allocations.map(({ amount }) => amount)), entry.amount);
    }
    assert.equal(total([given.balance, taken.balance]), 15);
    assert.deepEqual([given.problems, taken.problems], [[], []]);
  }));

test("2. entries are never changed or removed, not even by the owner of the table", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 10 }));
    const { id, entries } = await booksOf(user_id);
    const table = () => serviceClient().from("credit_transactions");
    const answers = [
      await table().update({ amount: 99 } as never).eq("account_id", id),
      await table().delete().eq("account_id", id),
      await table().insert({ account_id: id, entry_no: 99, kind: "grant", amount: 1 } as never),
    ];
    assert.deepEqual(answers.map(({ error }) => error?.code), Array(3).fill("42501"));
    await withDatabase(async (sql) => {
      for (
        const statement of [
          `update private.credit_transactions set amount = 99 where account_id = '${id}'`,
          `delete from private.credit_transactions where account_id = '${id}'`,
          "truncate private.credit_transactions cascade",
        ]
      ) {
        await assert.rejects(sql.unsafe(statement), { code: "42501" });
      }
    });
    assert.deepEqual((await booksOf(user_id)).entries, entries);
  }));

test("3. the chain of hashes names an entry that the owner of the database changed", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 10 }));
    for (let n = 1; n <= 3; n++) done(await way.ask("charge", { user_id, amount: n }));
    const { id, entries } = await booksOf(user_id);
    const changed = entries.length - 1;
    const verify = async () =>
      (await serviceClient().rpc("verify_credit_ledger", { account_id: id })).data;
    await withoutTriggers(async (sql) => {
      const change = (by: number) =>
        sql`update private.credit_transactions set amount = amount + ${by}
          where account_id = ${id} and entry_no = ${changed}`;
      await sql`select private.seal_entries(${id}, 0, 100)`;
      const sealed = await verify();
      assert.deepEqual([sealed?.problem, sealed?.sealed_to], [null, entries.length]);
      await change(1);
      const found = await verify();
      assert.deepEqual([found?.problem, found?.entry_no], ["changed", changed]);
      await change(-1);
      assert.equal((await verify())?.problem, null);
    });
  }));

test("4. a request that is sent twice is posted once", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    for (const [request, amount] of [["grant", 10], ["charge", 4]] as const) {
      const [first, second] = [
        done(await way.ask(request, { user_id, amount }, `four-${request}`)),
        done(await way.ask(request, { user_id, amount }, `four-${request}`)),
      ];
      assert.deepEqual({ ...second, replayed: false }, { ...first, replayed: false });
    }
    const { balance, entries } = await booksOf(user_id);
    assert.deepEqual([balance, entries.slice(-2).map(({ amount }) => amount)], [6, [10, -4]]);
  }));

test("5. a request that is sent 64 times at once is posted once", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 100 }));
    const before = (await booksOf(user_id)).entries.length;
    const charge = { user_id, amount: 3 };
    const rows = (await atOnce(64, () => way.ask("charge", charge, "sixty-four"))).map(done);
    assert.deepEqual(new Set(rows.map(({ entry_no }) => entry_no)), new Set([before + 1]));
    const { balance, entries } = await booksOf(user_id);
    assert.deepEqual([balance, entries.length], [97, before + 1]);
  }));

test("6. 500 credits at once all arrive", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    (await atOnce(500, (n) => way.ask("grant", { user_id, amount: 1 }, `six-${n}`))).map(done);
    const { balance, grants, problems } = await booksOf(user_id);
    assert.deepEqual([balance, total(Object.values(grants)), problems], [500, 500, []]);
  }));

test("7. nothing is made or lost: what came in is what is left and what went out", () =>
  bothWays(async (way) => {
    const users = [await newUser(), await newUser(), await newUser()];
    const [into, out]: [number[], number[]] = [[], []];
    const step = async (n: number) => {
      const [user_id = "", to_user_id = ""] = [users[n % 3], users[(n + 1) % 3]];
      const amount = (n * 37 % 100 + 1) / 8;
      if (n % 4 === 0) {
        done(await way.ask("grant", { user_id, amount: amount * 3 }));
        into.push(amount * 3);
      } else if (n % 4 === 1) {
        await way.ask("transfer", { from_user_id: user_id, to_user_id, amount });
      } else if (n % 4 === 2) {
        const hold = await way.ask("hold", { user_id, amount });
        if (hold.refused !== undefined) return;
        const { amount: charged } = done(
          await way.ask("capture", { hold_id: hold.row.id, amount: amount / 2 }),
        );
        out.push(-charged);
      } else {
        const charge = await way.ask("charge", { user_id, amount });
        if (charge.refused !== undefined) return;
        const { account_id, entry_no } = charge.row;
        done(await way.ask("refund", { account_id, entry_no, amount: amount / 4 }));
        out.push(total([amount, -amount / 4]));
      }
    };
    for (let n = 0; n < 60; n += 6) await Promise.all([0, 1, 2, 3, 4, 5].map((k) => step(n + k)));
    const books = await Promise.all(users.map((user_id) => booksOf(user_id)));
    assert.ok(out.length > 10);
    assert.equal(total(into), total([...books.map(({ balance }) => balance), ...out]));
    assert.deepEqual(books.flatMap(({ problems }) => problems), []);
  }));

test("8. a balance is the sum of its entries, after each of them", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 50 }));
    await atOnce(20, (n) => way.ask(n % 5 ? "charge" : "grant", { user_id, amount: n / 4 + 0.25 }));
    const { balance, entries } = await booksOf(user_id);
    assert.ok(entries.length > 10);
    entries.forEach((entry, index) =>
      assert.equal(
        entry.balance_after,
        total(entries.slice(0, index + 1).map(({ amount }) => amount)),
      )
    );
    assert.equal(balance, entries.at(-1)?.balance_after);
  }));

test("9. many charges at once never drain an account below its overdraft", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 100 }));
    done(await way.ask("overdraft", { user_id, overdraft_limit: 20 }));
    const outcomes = await atOnce(60, () => way.ask("charge", { user_id, amount: 3 }));
    assert.equal(posted(outcomes).length, 40);
    assert.deepEqual(refusals(outcomes), new Set(["insufficient_credits"]));
    const { balance, available, problems } = await booksOf(user_id);
    assert.deepEqual([balance, available, problems], [-20, 0, []]);
  }));

test("10. 1,000 pennies are 10", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 10 }));
    for (let n = 0; n < 1000; n += 50) {
      (await atOnce(50, () => way.ask("charge", { user_id, amount: 0.01 }))).map(done);
    }
    assert.equal((await booksOf(user_id)).balance, 0);
    assert.deepEqual(await way.ask("charge", { user_id, amount: 0.01 }), {
      refused: "insufficient_credits",
    });
  }));

test("11. units do not mix: one never pays for another, nor becomes one", () =>
  bothWays(async (way) => {
    const [user_id, to_user_id] = [await newUser(), await newUser()];
    done(await way.ask("grant", { user_id, amount: 10 }));
    done(await way.ask("grant", { user_id, amount: 7, unit: UNIT }));
    const refused = [
      await way.ask("charge", { user_id, amount: 8, unit: UNIT }),
      await way.ask("hold", { user_id, amount: 8, unit: UNIT }),
      await way.ask("transfer", { from_user_id: user_id, to_user_id, amount: 8, unit: UNIT }),
    ];
    assert.deepEqual(refused, Array(3).fill({ refused: "insufficient_credits" }));
    const sku = `invariant.${crypto.randomUUID()}`;
    await withDatabase((sql) =>
      sql`insert into credit_prices (sku, unit, price, credit_unit) values (${sku}, 'image', 1, ${UNIT})`
    );
    const priced = { user_id, sku, quantity: 1 };
    assert.deepEqual(await way.ask("charge", { ...priced, unit: "credits" }), {
      refused: "unit_mismatch",
    });
    assert.equal(done(await way.ask("charge", priced)).unit, UNIT);
    done(await way.ask("transfer", { from_user_id: user_id, to_user_id, amount: 2, unit: UNIT }));
    const books = [await booksOf(user_id), await booksOf(user_id, UNIT), await booksOf(to_user_id)];
    assert.deepEqual(books.map(({ balance }) => balance), [10, 4, 0]);
    assert.equal((await booksOf(to_user_id, UNIT)).balance, 2);
  }));

test("12. a mistake is corrected by another entry, and both stay", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 10 }));
    const { account_id, entry_no } = done(await way.ask("charge", { user_id, amount: 4 }));
    done(await way.ask("refund", { account_id, entry_no }));
    assert.deepEqual(await way.ask("refund", { account_id, entry_no }), {
      refused: "refund_exceeds_charge",
    });
    const { balance, entries, problems } = await booksOf(user_id);
    assert.deepEqual([balance, problems], [10, []]);
    assert.deepEqual(
      entries.slice(-2).map(({ kind, amount, refund_of }) => [kind, amount, refund_of]),
      [
        ["deduct", -4, null],
        ["refund", 4, entry_no],
      ],
    );
  }));

test("13. the entries alone say what the account and each of its grants have", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("overdraft", { user_id, overdraft_limit: 5 }));
    for (const priority of [30, 20, 10]) {
      done(await way.ask("grant", { user_id, amount: 6, priority }));
    }
    const { account_id, entry_no } = done(await way.ask("charge", { user_id, amount: 8 }));
    const { id: hold_id } = done(await way.ask("hold", { user_id, amount: 7 }));
    done(await way.ask("refund", { account_id, entry_no, amount: 3 }));
    done(await way.ask("capture", { hold_id, amount: 6.5 }));
    done(await way.ask("charge", { user_id, amount: 10 }));
    const { balance, overdraft_used, entries, grants } = await booksOf(user_id);
    assert.ok(overdraft_used > 0);
    assert.equal(balance, total(entries.map(({ amount }) => amount)));
    assert.equal(overdraft_used, -allocated(entries, null));
    assert.deepEqual(
      Object.fromEntries(Object.keys(grants).map((id) => [id, allocated(entries, id)])),
      grants,
    );
  }));

test("14. entries are numbered without gaps, and dated in the order of their numbers", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 20 }));
    const outcomes = await atOnce(
      60,
      (n) => way.ask(n % 6 ? "charge" : "grant", { user_id, amount: 1 }),
    );
    const { entries } = await booksOf(user_id);
    assert.equal(entries.length, posted(outcomes).length + 3);
    assert.deepEqual(entries.map(({ entry_no }) => entry_no), entries.map((_, index) => index + 1));
    const dates = entries.map(({ created_at }) => created_at);
    assert.deepEqual(dates, dates.toSorted());
  }));

test("15. a key that is used for another request is refused, and nothing is posted", () =>
  bothWays(async (way) => {
    const user_id = await newUser();
    done(await way.ask("grant", { user_id, amount: 10 }, "fifteen"));
    done(await way.ask("charge", { user_id, amount: 1 }, "charge"));
    const before = await booksOf(user_id);
    const outcomes = [
      await way.ask("charge", { user_id, amount: 2 }, "charge"),
      await way.ask("charge", { user_id, amount: 1, unit: UNIT }, "charge"),
      await way.ask("charge", { user_id, amount: 1 }, "fifteen"),
      await way.ask("grant", { user_id, amount: 11 }, "fifteen"),
      ...await atOnce(16, (n) => way.ask("charge", { user_id, amount: n + 2 }, "charge")),
    ];
    assert.deepEqual(refusals(outcomes), new Set(["idempotency_key_reused"]));
    assert.equal(posted(outcomes).length, 0);
    assert.deepEqual(await booksOf(user_id), before);
  }));
