/**
 * For the invariants of the ledger: the same requests in SQL and over HTTP, and what the books then say.
 *
 * @module
 */

import assert from "node:assert/strict";

import postgres from "postgres";

import {
  invoke,
  serviceClient,
  signUp,
  stack,
  until,
  withDatabase,
} from "../../functions/_testing/testing.ts";

/** What came of a request: the row that it returns, or the code of its refusal. */
export type Outcome = { row: postgres.Row; refused?: undefined } | { refused: string };

/** A request: its function in SQL, its route over HTTP. */
const REQUESTS = {
  grant: { sql: "grant_credits", method: "POST", path: () => "grants" },
  charge: { sql: "deduct_credits", method: "POST", path: () => "deduct" },
  hold: { sql: "hold_credits", method: "POST", path: () => "holds" },
  capture: {
    sql: "capture_credit_hold",
    method: "POST",
    path: (id: string) => `holds/${id}/capture`,
  },
  refund: { sql: "refund_credits", method: "POST", path: () => "refunds" },
  transfer: { sql: "transfer_credits", method: "POST", path: () => "transfers" },
  overdraft: { sql: "set_credit_overdraft", method: "PUT", path: () => "overdraft" },
} as const;

type Args = Record<string, string | number>;

/** A way to make requests, as a service. */
export interface Way {
  name: string;
  /** Makes a request, with an idempotency key if one is given. */
  ask(request: keyof typeof REQUESTS, args: Args, key?: string): Promise<Outcome>;
}

const service = serviceClient();

const overHttp: Way = {
  name: "over HTTP",
  async ask(request, { hold_id = "", ...body }, key) {
    const { method, path } = REQUESTS[request];
    const headers: Record<string, string> = key === undefined ? {} : { "idempotency-key": key };
    const send = () => invoke(service, `credits/${path(`${hold_id}`)}`, { method, body, headers });
    let outcome: Outcome | undefined;
    // Hundreds of requests at once may take a busy machine too long. As a client does, one that has a key is then repeated.
    await until(async () => {
      const answer = await send();
      outcome = answer.status < 300 ? { row: answer.body } : { refused: answer.body.code };
      return key === undefined || ![503, 504].includes(answer.status);
    });
    assert.ok(outcome);
    return outcome;
  },
};

function inSql(sql: postgres.Sql): Way {
  return {
    name: "in SQL",
    async ask(request, args, key) {
      const given = Object.entries({ ...args, ...(key !== undefined && { idempotency_key: key }) });
      const list = given.map(([name], index) => `${name} => $${index + 1}`).join(", ");
      const statement = `select to_jsonb(r) as row from public.${
        REQUESTS[request].sql
      }(${list}) as r`;
      try {
        const [found] = await sql.unsafe(statement, given.map(([, value]) => value), {
          prepare: true,
        });
        return { row: found?.row };
      } catch (error) {
        if (!(error instanceof postgres.PostgresError)) throw error;
        return { refused: error.detail?.split(" ")[0] ?? error.code };
      }
    },
  };
}

/**
 * Runs the test of an invariant in SQL, with the role that the functions have, and over HTTP.
 *
 * @param run The test, for one way.
 */
export async function bothWays(run: (way: Way) => Promise<void>): Promise<void> {
  const sql = postgres(stack.dbUrl, { max: 32, connection: { role: "service_role" } });
  try {
    for (const way of [inSql(sql), overHttp]) {
      try {
        await run(way);
      } catch (error) {
        throw new Error(`${way.name}: ${error instanceof Error ? error.message : error}`, {
          cause: error,
        });
      }
    }
  } finally {
    await sql.end();
  }
}

/** Signs up a user with nothing: 0 credits. */
export async function newUser(): Promise<string> {
  const { id } = await signUp();
  await withDatabase((sql) =>
    sql`select void_credit_grant(g.id, 'test', 'Begins with nothing') from credit_grants as g
      join credit_accounts as a on a.id = g.account_id where a.user_id = ${id}`
  );
  return id;
}

/** Makes the same request a number of times at once. */
export function atOnce<T>(times: number, ask: (index: number) => Promise<T>): Promise<T[]> {
  return Promise.all(Array.from({ length: times }, (_, index) => ask(index)));
}

/** The row of a request that must not be refused. */
export function done(outcome: Outcome): postgres.Row {
  if (outcome.refused !== undefined) throw new Error(`Refused: ${outcome.refused}`);
  return outcome.row;
}

/** The requests that were not refused. */
export const posted = (outcomes: Outcome[]) =>
  outcomes.filter(({ refused }) => refused === undefined);

/** The codes of those that were. */
export const refusals = (outcomes: Outcome[]) =>
  new Set(outcomes.flatMap(({ refused }) => refused ?? []));

/** An entry of an account. */
export interface Entry {
  entry_no: number;
  kind: string;
  amount: number;
  balance_after: number;
  allocations: { grant_id: string | null; amount: number }[];
  refund_of: number | null;
  created_at: string;
}

/** The books of a user's account in a unit. */
export interface Books {
  id: string;
  balance: number;
  available: number;
  overdraft_used: number;
  entries: Entry[];
  /** What each grant has left, by its id. */
  grants: Record<string, number>;
  /** What reconciliation finds wrong. */
  problems: string[];
}

/**
 * Reads the books of a user's account.
 *
 * @param user_id The user.
 * @param unit The unit; credits by default.
 */
export async function booksOf(user_id: string, unit = "credits"): Promise<Books> {
  const [row] = await withDatabase((sql) =>
    sql`select to_jsonb(x) as books from (
      select a.id, b.balance, b.available, a.overdraft_used,
        array(select to_jsonb(t) from credit_transactions as t where t.account_id = a.id order by t.entry_no) as entries,
        (select coalesce(jsonb_object_agg(g.id, g.remaining), '{}') from credit_grants as g where g.account_id = a.id) as grants,
        array(select r.problem || ' ' || r.subject from credit_reconciliation(a.id) as r) as problems
      from credit_accounts as a join credit_balances as b on b.account_id = a.id
      where a.user_id = ${user_id} and a.unit = ${unit}) as x`
  );
  return row?.books;
}

/** The sum of numbers with four decimals, exactly. */
export const total = (amounts: number[]): number =>
  amounts.reduce((sum, amount) => sum + Math.round(amount * 10_000), 0) / 10_000;

/** What entries have allocated to a grant, or to the overdraft if it is null. */
export const allocated = (entries: Entry[], id: string | null): number =>
  total(
    entries.flatMap(({ allocations }) => allocations).filter(({ grant_id }) => grant_id === id)
      .map(({ amount }) => amount),
  );

/** Runs statements that no trigger stops, as the owner of the database can. */
export async function withoutTriggers(run: (sql: postgres.Sql) => Promise<void>): Promise<void> {
  const connection = { session_replication_role: "replica" };
  const sql = postgres(stack.adminDbUrl, { max: 1, connection });
  try {
    await run(sql);
  } finally {
    await sql.end();
  }
}
