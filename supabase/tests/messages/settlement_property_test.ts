import assert from "node:assert/strict";

import fc from "fast-check";
import postgres from "postgres";

import { soak, test, withDatabase } from "../../functions/_testing/testing.ts";
import {
  type Event,
  FIRST_CREDITS,
  type Setting,
  SettlementModel,
  WHOLE,
} from "./settlement_model_testing.ts";

/** One credit, in units. */
const CREDIT = 10_000;

const int = (min: number, max: number) => fc.integer({ min, max });
const content = fc.constantFrom("So", "So far");
const held = int(1, 60 * CREDIT);
/** Up to a half more than a hold may have, also between two steps, and nothing. */
const asked = fc.oneof(
  fc.constantFrom(null, 0, 0.4),
  fc.tuple(int(1, 90 * CREDIT), fc.constantFrom(0, 0, 0.4, 0.5)).map(([units, part]) =>
    units + part
  ),
);
const simple = (...names: string[]) => fc.constantFrom(...names).map((name) => ({ name }) as Event);
const settle = fc.record({
  name: fc.constant("settle" as const),
  hold: fc.constantFrom(0 as const, 0 as const, 0 as const, 1 as const),
  status: fc.constantFrom("complete" as const, "aborted" as const),
  amount: asked,
  allow_overage: fc.boolean(),
});
const event: fc.Arbitrary<Event> = fc.oneof(
  { weight: 5, arbitrary: settle },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constantFrom("write" as const, "user_finishes" as const),
      content,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      name: fc.constantFrom("spend" as const, "spend" as const, "grant" as const),
      amount: int(1, 90 * CREDIT),
    }),
  },
  { weight: 4, arbitrary: simple("user_aborts", "clean_up", "holds_expire", "delete_message") },
  { weight: 2, arbitrary: simple("mark_project_deleted", "restore_project", "leave_team") },
  { weight: 1, arbitrary: simple("join_team", "delete_parent", "delete_account") },
);
const setting: fc.Arbitrary<Setting> = fc.record({
  parent: fc.constantFrom("conversation", "project", "team_project"),
  payer: fc.constantFrom("user", "team"),
  holds: fc.tuple(held, int(1, 30 * CREDIT)),
});

type Ids = Record<"user" | "boss" | "team" | "parent" | "message" | "account", string>;

/** An answer in the database, with its model. */
class Answer {
  readonly log: string[] = [];
  readonly #model: SettlementModel;
  readonly #ids: Ids;
  #holds: string[] = [];

  constructor(readonly sql: postgres.Sql, setting: Setting) {
    this.#model = new SettlementModel(setting);
    const id = () => crypto.randomUUID();
    this.#ids = { user: id(), boss: id(), team: id(), parent: id(), message: id(), account: "" };
  }

  /** Creates the user, the team, the parent, the holds and the draft. */
  async begin(): Promise<void> {
    const { sql } = this;
    const { user, boss, team, parent, message } = this.#ids;
    const { setting } = this.#model;
    await sql`insert into auth.users (id, email, aud, role) select u, u || '@example.com', 'authenticated', 'authenticated'
      from unnest(${[user, boss]}::uuid[]) as u`;
    await sql`insert into teams (id, name) values (${team}, 'T')`;
    await sql`insert into team_members (team_id, user_id, role)
      values (${team}, ${boss}, 'owner'), (${team}, ${user}, 'member')`;
    if (setting.payer === "team") {
      await sql`select grant_credits(team_id => ${team}, amount => ${FIRST_CREDITS / CREDIT})`;
    }
    const [account] = await sql`select id from credit_accounts
      where ${setting.payer === "team" ? sql`team_id = ${team}` : sql`user_id = ${user}`}`;
    this.#ids.account = account?.id;
    const owner = setting.parent === "team_project" ? boss : user;
    await (setting.parent === "conversation"
      ? sql`insert into conversations (id, user_id) values (${parent}, ${user})`
      : sql`insert into projects (id, user_id, team_id, title)
          values (${parent}, ${owner}, ${setting.parent === "team_project" ? team : null}, 'P')`);
    for (const amount of setting.holds) {
      const [hold] = await sql`select id from hold_credits(${user}, ${amount / CREDIT},
        team_id => ${setting.payer === "team" ? team : null})`;
      this.#holds.push(hold?.id);
    }
    await sql`select save_messages(${user}, ${
      sql.json([{ id: message, role: "assistant", content: "", status: "streaming" }])
    }, ${this.#project()}, ${this.#conversation()})`;
  }

  async run(event: Event): Promise<void> {
    this.log.push(JSON.stringify(event));
    const expected = this.#model.happen(event);
    const actual = await this.#happen(event);
    this.log.push(`  -> ${JSON.stringify(actual)}, expected ${JSON.stringify(expected)}`);
    assert.equal(actual, expected);
    await this.#compare();
  }

  /** What the caller gets: the code of a refusal, the entry's amount, or null. */
  async #happen(event: Event): Promise<string | number | null> {
    try {
      const [row] = await this.#do(event);
      return row?.amount === undefined || row.amount === null ? null : units(row.amount);
    } catch (error) {
      if (!(error instanceof postgres.PostgresError)) throw error;
      return error.detail?.split(" ")[0] ?? error.message;
    }
  }

  async #do(event: Event): Promise<postgres.Row[]> {
    const { sql } = this;
    const { user, team, parent, message, account } = this.#ids;
    const payer = this.#model.setting.payer === "team"
      ? sql`team_id => ${team}`
      : sql`user_id => ${user}`;
    const end = (status: string, text: string | null, more = sql``) =>
      sql`select (entry ->> 'amount')::numeric as amount
        from finish_draft(${user}, ${message}, ${status}, ${text === null ? null : sql.json(text)},
          project_id => ${this.#project()}, conversation_id => ${this.#conversation()}${more})`;
    switch (event.name) {
      case "settle": {
        const { hold, amount, allow_overage, status } = event;
        const settle = {
          hold_id: this.#holds[hold] ?? null,
          allow_overage,
          ...(amount !== null && { amount: amount / CREDIT }),
        };
        return await end(status, WHOLE, sql`, settle => ${sql.json(settle)}`);
      }
      case "write":
        return await sql`select null as amount from update_draft(${user}, ${message}, ${
          sql.json(event.content)
        }, ${this.#project()}, ${this.#conversation()})`;
      case "user_finishes":
        return await end("complete", event.content, sql`, actor => 'user'`);
      case "user_aborts":
        return await end("aborted", null, sql`, actor => 'user'`);
      case "clean_up":
        await sql.begin(async (sql) => {
          await sql`alter table messages disable trigger update_messages_updated_at`;
          await sql`update messages set updated_at = now() - interval '1 h' where id = ${message}`;
          await sql`alter table messages enable trigger update_messages_updated_at`;
          await sql`select private.clean_up_at_once('stale_drafts')`;
        });
        return [];
      case "holds_expire":
        await sql.begin(async (sql) => {
          await sql`update private.credit_holds set created_at = created_at - interval '1 h',
            expires_at = clock_timestamp() - interval '1 ms' where account_id = ${account}`;
          await sql`update credit_accounts set next_due_at = (
            select min(expires_at) from private.credit_holds where account_id = ${account}) where id = ${account}`;
        });
        return [];
      case "delete_message":
        return await sql`delete from messages where id = ${message}`;
      case "delete_parent":
        return await (this.#conversation()
          ? sql`delete from conversations where id = ${parent}`
          : sql`delete from projects where id = ${parent}`);
      case "mark_project_deleted":
        return await sql`update projects set status = 'deleted' where id = ${parent}`;
      case "restore_project":
        return await sql`update projects set status = 'active' where id = ${parent}`;
      case "leave_team":
        return await sql`delete from team_members where team_id = ${team} and user_id = ${user}`;
      case "join_team":
        return await sql`insert into team_members (team_id, user_id, role)
          select ${team}, id, 'member' from auth.users where id = ${user} on conflict do nothing`;
      case "delete_account":
        // What has expired ends first, so that it is known whose it is no longer.
        await sql`select private.settle_credit_account(a, clock_timestamp()) from credit_accounts as a where a.id = ${account}`;
        return await sql`delete from auth.users where id = ${user}`;
      case "grant":
        return await sql`select null as amount from grant_credits(${payer}, amount => ${
          event.amount / CREDIT
        })`;
      case "spend":
        return await sql`select null as amount from deduct_credits(${payer}, amount => ${
          event.amount / CREDIT
        })`;
    }
  }

  async #compare(): Promise<void> {
    const { account, message } = this.#ids;
    const [row] = await this.sql`select
      (select jsonb_build_object('balance', balance, 'held', held) from (
        select balance, held from user_credits where account_id = ${account}
        union all select balance, held from team_credits where account_id = ${account}) as c) as totals,
      (select jsonb_agg(jsonb_build_object('kind', kind, 'amount', amount, 'requested_amount', requested_amount)
        order by entry_no) from credit_transactions where account_id = ${account}) as lines,
      (select jsonb_build_object('status', status, 'content', content, 'hold_id', hold_id)
        from messages where id = ${message}) as message,
      array(select to_jsonb(r) from credit_reconciliation(${account}) as r) as problems`;
    const { totals, lines, message: expected } = this.#model;
    const amounts = (value: unknown) =>
      JSON.parse(
        JSON.stringify(value),
        (_, item) => typeof item === "number" ? units(item) : item,
      );
    assert.deepEqual(row?.problems, []);
    assert.deepEqual(amounts(row?.totals), totals.call(this.#model));
    assert.deepEqual(amounts(row?.lines), lines);
    assert.deepEqual(
      row?.message,
      expected && {
        status: expected.status,
        content: expected.content,
        hold_id: expected.hold === null ? null : this.#holds[expected.hold],
      },
    );
  }

  #project = () => this.#model.setting.parent === "conversation" ? null : this.#ids.parent;
  #conversation = () => this.#model.setting.parent === "conversation" ? this.#ids.parent : null;

  async end(): Promise<void> {
    const { user, boss, team } = this.#ids;
    await this.sql`delete from auth.users where id in (${user}, ${boss})`;
    await this.sql`delete from teams where id = ${team}`;
  }
}

/** Amounts as units, with one decimal more than the ledger has. */
const units = (amount: number | string) => Math.round(Number(amount) * CREDIT * 10) / 10 + 0;

test("an answer costs what its model says, however it ends", async () => {
  const [seed, path] = [Deno.env.get("FC_SEED"), Deno.env.get("FC_PATH")];
  await withDatabase(async (sql) => {
    const property = fc.asyncProperty(
      setting,
      fc.array(event, { minLength: 1, maxLength: 12, size: "max" }),
      async (setting, events) => {
        const answer = new Answer(sql, setting);
        await answer.begin();
        try {
          for (const event of events) await answer.run(event);
          // Whatever nobody has settled by then is free again.
          await answer.run({ name: "holds_expire" });
        } catch (error) {
          throw new Error(`After\n${answer.log.join("\n")}\n${error}`, { cause: error });
        } finally {
          await answer.end();
        }
      },
    );
    await fc.assert(property, {
      numRuns: Math.ceil(100 * soak),
      ...(seed && { seed: Number(seed) }),
      ...(path && { path }),
    });
  });
});
