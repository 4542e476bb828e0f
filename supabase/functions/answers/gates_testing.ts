/**
 * Gates in the database of a test: a transaction that comes to a closed gate waits there, in the middle of its work, until
 * the gates open or the database is killed.
 *
 * @module
 */

import pg from "pg";

import type { TestStack } from "../_testing/testing.ts";

/** The lock that closed gates wait for. */
const KEY = 20261127;

/** A part of a running answer that is no sign of life, nor only the beginning of a step. */
const HAS_TEXT = `new.pieces::text like '%"text"%'`;

/** Where the gates are: the statement after which a transaction waits, and the column that names the user. */
const GATES: Record<string, [table: string, when: string, column: string]> = {
  asked: ["insert on public.messages", "new.role = 'user'", "user_id"],
  held: ["insert on private.credit_holds", "true", "actor_id"],
  begun: ["insert on public.answers", "true", "user_id"],
  first: ["insert on public.answer_parts", `${HAS_TEXT} and not gates.comes_later(new)`, "user_id"],
  later: ["insert on public.answer_parts", `${HAS_TEXT} and gates.comes_later(new)`, "user_id"],
  charged: ["insert on private.credit_transactions", "new.kind = 'capture'", "actor_id"],
  written: [
    "update on public.messages",
    "old.status = 'streaming' and new.status <> 'streaming'",
    "user_id",
  ],
  cleared: ["delete on public.answer_parts", "true", "user_id"],
  ended: [
    "update on public.answers",
    "old.state = 'running' and new.state <> 'running'",
    "user_id",
  ],
};

const triggers = Object.entries(GATES).map(([name, [event, when, column]]) =>
  `create trigger gate_${name} after ${event} for each row when (${when})
    execute function gates.wait('${name}', '${column}');`
).join("\n");

const INSTALL = `
  create schema gates;
  create table gates.closed (user_id uuid, name text, primary key (user_id, name));
  create function gates.wait() returns trigger language plpgsql security definer set search_path = '' as $$
  begin
    if exists (select from gates.closed as c where c.name = tg_argv[0]
        and c.user_id = (coalesce(to_jsonb(new), to_jsonb(old)) ->> tg_argv[1])::uuid) then
      perform pg_catalog.pg_advisory_xact_lock_shared(${KEY});
    end if;
    return null;
  end $$;
  create function gates.comes_later(part public.answer_parts) returns boolean language sql security definer as $$
    select exists (select from public.answer_parts as p
      where p.answer_id = part.answer_id and p.number < part.number and p.pieces::text like '%"text"%')
  $$;
  grant usage on schema gates to public;
  ${triggers}`;

/** Opens a connection that may be killed. */
export async function connectTo({ adminDbUrl }: TestStack): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: adminDbUrl });
  // The database is killed, and the next query says so.
  client.on("error", () => {});
  await client.connect();
  return client;
}

/** Installs the gates in the database of a stack that the test has for itself. */
export async function installGates(of: TestStack): Promise<void> {
  const client = await connectTo(of);
  await client.query(INSTALL);
  await client.end();
}

/** Gates that are closed for some users, one for each. */
export class ClosedGates {
  readonly #keeper: pg.Client;

  private constructor(keeper: pg.Client) {
    this.#keeper = keeper;
  }

  /** Closes gates. */
  static async close(
    of: TestStack,
    gates: { user_id: string; name: string }[],
  ): Promise<ClosedGates> {
    const keeper = await connectTo(of);
    // A killed database has kept those of the last time.
    await keeper.query("delete from gates.closed");
    await keeper.query(
      `insert into gates.closed select * from jsonb_to_recordset($1) as g (user_id uuid, name text)`,
      [JSON.stringify(gates)],
    );
    await keeper.query(`select pg_advisory_lock(${KEY})`);
    return new ClosedGates(keeper);
  }

  /** How many transactions wait. */
  async waiting(): Promise<number> {
    const { rows: [row] } = await this.#keeper.query(
      `select count(*)::int as waiting from pg_locks where locktype = 'advisory' and objid = ${KEY} and not granted`,
    );
    return row.waiting;
  }

  /** Opens them. Does nothing if the database was killed, which has opened them. */
  async open(): Promise<void> {
    await this.#keeper.query("delete from gates.closed").catch(() => {});
    await this.#keeper.end().catch(() => {});
  }
}
