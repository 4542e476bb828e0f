/**
 * The credit ledger in the database, beside its model: whatever is done to one is done to the other, and compared.
 *
 * @module
 */

import assert from "node:assert/strict";

import postgres from "postgres";

import { comparable } from "./ledger_comparison_testing.ts";
import type { Call } from "./ledger_calls_testing.ts";
import { CREDIT, HOUR, isAmount, round } from "./ledger_amounts_testing.ts";
import { type Command, NONE, type Unit, UNITS } from "./ledger_commands_testing.ts";
import { LedgerModel } from "./ledger_model_testing.ts";
import { Owner } from "./ledger_owner_testing.ts";
import type { Portion } from "./ledger_portions_testing.ts";
import { Refusal } from "./ledger_refusals_testing.ts";
import { chargeOf, type Item, requested } from "./ledger_scopes_testing.ts";

type Row = Record<string, unknown>;
type State = Record<"problems" | "grants" | "holds" | "entries", Row[]> & {
  totals: Row | null;
  /** The balances of all accounts. */
  others: Row;
};
/** What an account is like that is not open yet. */
const NOTHING = { balance: 0, held: 0, available: 0, scoped: 0 };
/** The accounts of a user in the database, one in each unit, with their models. */
export class Ledger {
  readonly log: string[] = [];
  readonly #keyed: [Call, string, Unit][] = [];
  readonly #models: Record<Unit, LedgerModel>;
  /** The model's time zero in the database. Rows move into the past; this does not. */
  readonly #base = Date.now();

  /** @param ids Ids of the user and the sign-up grant. */
  constructor(readonly sql: postgres.Sql, readonly root: postgres.Sql, readonly ids: postgres.Row) {
    const owner = new Owner();
    this.#models = {
      credits: new LedgerModel(owner, ids.id),
      ledger_images: new LedgerModel(owner),
    };
  }

  async run(command: Command): Promise<void> {
    if (command.name === "advance") return await this.#advance(command.hours ?? 0);
    if (command.name === "settle") return await this.settle();
    const [call, key = null, unit = command.unit] = this.#resolve(command) ?? [];
    if (!call) return;
    if (command.name === "deduct_credits" && command.quoted && "items" in call && call.items) {
      await this.#quote(call.items, unit);
    }
    await this.call(call, key, unit);
  }

  async settle(): Promise<void> {
    this.log.push("settle");
    await this.sql`select private.clean_up_at_once('credit_settlement')`;
    for (const unit of UNITS) this.#compare(await this.#read(unit), unit, true);
  }

  /** Asserts that a quote says what the charge will do, though nothing that has come due is posted yet. */
  async #quote(items: Item[], unit: Unit): Promise<void> {
    const [row] = await this.sql`select to_jsonb(q) as quote
      from public.quote_credits(${
      JSON.stringify(requested(items))
    }::text::jsonb, ${this.ids.user_id}) as q`;
    const quote = comparable(row?.quote, 0, CREDIT) as Row;
    this.log.push(`quote ${JSON.stringify({ items, unit })}\n  -> ${JSON.stringify(quote)}`);
    const expected = { ...this.#models[unit].quote(items), unit };
    assert.deepEqual(pick(quote, Object.keys(expected)), expected);
  }

  async call(call: Call, key: string | null, unit: Unit): Promise<void> {
    const ledger = this.#models[unit];
    this.log.push(JSON.stringify({ ...call, key, unit }));
    const answer = await this.#ask(call, key, unit);
    this.log.push(`  -> ${JSON.stringify(answer)}`);
    const state = await this.#read(unit);
    const portions = state.entries.flatMap((entry) => entry.allocations as Portion[]);
    const known = new Set(ledger.grants.map((grant) => grant.id));
    const ids = new Set(portions.flatMap((portion) => portion.grant_id ?? [])).difference(known);
    let expected: Row;
    try {
      expected = { ...ledger.call(call, key, answer.id ? [`${answer.id}`] : [...ids]), unit };
    } catch (error) {
      if (!(error instanceof Refusal)) throw error;
      expected = { refused: error.message, ...error.numbers };
    }
    // A response has no allocations, and a replayed one has its original times.
    const names = Object.keys(expected).filter((name) => !/allocations|requested|_at$/.test(name));
    assert.deepEqual("refused" in answer ? answer : pick(answer, names), pick(expected, names));
    this.#compare(state, unit, !("refused" in expected));
  }

  /** Asserts that the books of the other accounts of transfers agree, and that nothing was made or lost between them. */
  async compareOthers(): Promise<void> {
    const { bank, sink, user_id } = this.ids;
    const [row] = await this.sql`select
      array(select r.problem from public.credit_accounts as a
        cross join lateral public.credit_reconciliation(a.id) as r where a.user_id in (${bank}, ${sink})) as problems,
      array(select t.unit from public.credit_transactions as t
        where t.kind = 'transfer' and t.user_id in (${bank}, ${sink}, ${user_id})
        group by t.unit having sum(t.amount) <> 0) as lost`;
    assert.deepEqual(row, { problems: [], lost: [] });
  }

  /** Asserts that the database matches the model. Compares its tables only after everything due is posted. */
  #compare(state: State, unit: Unit, posted: boolean): void {
    const ledger = this.#models[unit];
    assert.deepEqual(state.problems, []);
    assert.deepEqual(state.totals ?? NOTHING, ledger.totals());
    for (const other of UNITS) {
      if (other !== unit) {
        assert.equal(state.others[other] ?? 0, this.#models[other].totals().balance);
      }
    }
    if (!posted) return;
    const { grants, holds, entries } = ledger;
    const inOrder = <T extends { id: string }>(things: T[]) =>
      things.toSorted((a, b) => a.id < b.id ? -1 : 1);
    const same = (actual: Row[], expected: object[]) => {
      const names = Object.keys(expected[0] ?? {});
      const rows = expected.map((row) => comparable(row, ledger.clock, 1));
      assert.deepEqual(actual.map((row) => pick(row, names)), rows);
    };
    same(state.grants, inOrder(grants.map((grant) => ledger.view(grant))));
    same(state.holds, inOrder(holds));
    same(state.entries, entries);
  }

  /** Turns a command into a call with its key and unit; undefined if it has no target. */
  #resolve(command: Command): [Call, string | null, Unit] | undefined {
    const {
      name,
      key,
      unit,
      id = "",
      nth = NONE,
      fit,
      amount,
      hours: _,
      buys = null,
      quoted: __,
      ...rest
    } = command;
    if (rest.skus) rest.skus = rest.skus.map((sku) => `${unit}.${sku}`);
    if (name === "repeat") return this.#keyed.at(-1 - nth);
    const { grants, holds, entries } = this.#models[unit];
    const charges = entries.map((entry) => ({ ...entry, id: entry.entry_no, status: entry.kind }));
    const targets = { hold_id: holds, grant_id: grants, entry_no: charges }[id]
      ?.filter((target) => !fit || /^(held|pending|active|deduct|capture)$/.test(target.status));
    const target = nth === NONE ? undefined : targets?.at(-1 - nth % targets.length);
    if (targets && !target && nth !== NONE) return undefined;
    const whole = targets ? Math.abs(target?.amount ?? 0) : this.#models[unit].totals().available;
    let asked = typeof amount === "object" && amount
      ? Math.max(1, Math.round(whole * amount.share / 1000) + amount.plus)
      : amount;
    // The order of refusals is not specified, so each call has at most one reason to be refused.
    const sound = isAmount(round(asked ?? 1)) && (!targets || target !== undefined);
    if (id === "hold_id" && target?.status !== "held" && !isAmount(round(asked ?? 1))) {
      asked = null;
    }
    const field = name === "set_credit_overdraft" ? "overdraft_limit" : "amount";
    const about = id && { [id]: target?.id ?? (id === "entry_no" ? 0 : crypto.randomUUID()) };
    const what = chargeOf(buys, asked, unit) ?? (asked === undefined ? {} : { [field]: asked });
    const call = { name, ...about, ...what, ...rest };
    if (sound && key) this.#keyed.push([call as Call, key, unit]);
    return [call as Call, sound ? key : null, unit];
  }

  async #ask(call: Call, key: string | null, unit: Unit): Promise<Row> {
    const { name, ...asked } = call;
    const args: Row = { ...asked, idempotency_key: key };
    for (const [arg, value] of Object.entries(asked)) {
      if (arg === "items") args.items = requested(value as Item[]);
      if (typeof value !== "number") continue;
      if (arg.endsWith("_at")) args[arg] = new Date(this.#base + value);
      if (/amount|limit/.test(arg)) args[arg] = (value / CREDIT).toFixed(5);
    }
    if (name === "refund_credits") args.account_id = await this.#accountId(unit);
    else if (name === "void_credit_grant") Object.assign(args, { voided_by: "me", reason: "so" });
    else if (!("hold_id" in call)) Object.assign(args, { user_id: this.ids.user_id, unit });
    if (call.name === "transfer_credits") {
      const { user_id, bank, sink } = this.ids;
      delete args.incoming;
      Object.assign(args, {
        from_user_id: call.incoming ? bank : user_id,
        to_user_id: call.incoming ? user_id : sink,
      });
    }
    const named = Object.keys(args).map((arg, index) => `${arg} => $${index + 1}`).join(", ");
    const select = `select to_jsonb(r) as answer from public.${name}(${named}) as r`;
    try {
      const values = Object.values(args) as string[];
      const [row] = await this.sql.unsafe(select, values, { prepare: true });
      return comparable(row?.answer, this.#base, CREDIT) as Row;
    } catch (error) {
      if (!(error instanceof postgres.PostgresError)) throw error;
      const [reason, numbers = "{}"] = (error.detail ?? error.message).split(/ (?={)/);
      const details = comparable(JSON.parse(numbers), 0, CREDIT) as Row;
      return { refused: `${error.code} ${reason}`, ...details };
    }
  }

  /** Returns the id of the account in a unit; that in credits if there is none yet, which then has no such entry. */
  async #accountId(unit: Unit): Promise<string> {
    const [row] = await this.sql`select id from public.credit_accounts
      where user_id = ${this.ids.user_id} and unit in (${unit}, 'credits') order by unit = ${unit} desc limit 1`;
    return row?.id;
  }

  /** Lets time pass by moving the accounts into the past. Predictions must come true, and the past must not change. */
  async #advance(hours: number): Promise<void> {
    this.log.push(`advance ${hours} h`);
    const times = [-9, -4, -1, 0, 1, 2, 3, 4, 6, 8, 11].filter((hour) => hour < hours)
      .concat(hours).map((hour) => hour + 0.25);
    const foreseen = Object.fromEntries(
      await Promise.all(UNITS.map(async (unit) => [unit, await this.#balancesAt(times, unit)])),
    );
    const mine = `select id from public.credit_accounts where user_id = '${this.ids.user_id}'`;
    const columns = {
      "private.credit_grants": "effective_at expires_at created_at voided_at",
      "private.credit_holds": "expires_at created_at",
      "private.ended_credit_holds": "expires_at created_at resolved_at",
      "private.credit_transactions": "created_at",
      "public.credit_accounts": "next_due_at updated_at created_at",
    };
    const updates = Object.entries(columns).map(([table, names]) => {
      const moves = names.split(" ").map((name) => `${name} = ${name} - interval '${hours} h'`);
      const id = table === "public.credit_accounts" ? "id" : "account_id";
      return `update ${table} set ${moves} where ${id} in (${mine});`;
    });
    updates.push(`update private.credit_transactions set hold = hold || jsonb_build_object(
        'created_at', (hold ->> 'created_at')::timestamptz - interval '${hours} h',
        'expires_at', (hold ->> 'expires_at')::timestamptz - interval '${hours} h')
      where hold is not null and account_id in (${mine});`);
    updates.unshift("begin; set local session_replication_role = replica;");
    await this.root.unsafe(`${updates.join(" ")} commit`);
    for (const unit of UNITS) this.#models[unit].advance(hours);
    for (const unit of UNITS) {
      const { clock, entries } = this.#models[unit];
      this.#compare(await this.#read(unit), unit, false);
      const balances = times.map((hour) => {
        const at = clock + (hour - hours) * HOUR;
        return entries.findLast((entry) => entry.created_at <= at)?.balance_after ?? 0;
      });
      const wrong = `Foreseen for ${times}: ${foreseen[unit]}, not ${balances} ${unit}`;
      assert.deepEqual(foreseen[unit], balances, wrong);
      const past = times.map((hour) => hour - hours);
      assert.deepEqual(await this.#balancesAt(past, unit), balances);
    }
  }

  async #balancesAt(hours: number[], unit: Unit): Promise<number[]> {
    const [row] = await this.sql`
      select json_agg(coalesce((select public.credit_balance_at(a.id, now() + h * interval '1 h')
        from public.credit_accounts as a where a.user_id = ${this.ids.user_id} and a.unit = ${unit}), 0)) as balance
      from unnest(${hours}::numeric[]) as h`;
    return comparable(row?.balance, 0, CREDIT) as number[];
  }

  async #read(unit: Unit): Promise<State> {
    const [row] = await this.sql`
      with mine as (select id from public.credit_accounts where user_id = ${this.ids.user_id} and unit = ${unit})
      select (select to_jsonb(c) from (select balance, held, available, scoped from public.credit_balances
          where account_id in (select id from mine)) as c) as totals,
        (select jsonb_object_agg(b.unit, b.balance) from public.credit_balances as b
          where b.user_id = ${this.ids.user_id}) as others,
        array(select to_jsonb(r) from mine cross join lateral public.credit_reconciliation(mine.id) as r) as problems,
        array(select to_jsonb(g) from public.credit_grants as g
          where account_id in (select id from mine) order by id) as grants,
        array(select to_jsonb(h) from public.credit_holds as h
          where account_id in (select id from mine) order by id) as holds,
        array(select to_jsonb(t) from public.credit_transactions as t
          where account_id in (select id from mine) order by entry_no) as entries`;
    return comparable(row, this.#base, CREDIT) as State;
  }
}

const pick = (row: Row, names: string[]): Row =>
  Object.fromEntries(names.map((name) => [name, row[name]]));
