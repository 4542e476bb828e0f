/**
 * For tests of many sessions on the same credit accounts: the accounts and the sessions.
 *
 * @module
 */

import assert from "node:assert/strict";
import postgres from "postgres";

import { serviceClient, signUp, soak, stack } from "../../functions/_testing/testing.ts";

/** An account that sessions work on. */
export interface Account {
  id: string;
  /** Its owner, as arguments of functions. */
  owner: { user_id: string } | { team_id: string };
  /** Users who may spend from it, as arguments of functions. */
  spenders: { user_id: string; team_id?: string }[];
}

/** A call of a function of the database. */
export interface Call {
  name: string;
  args: Record<string, unknown>;
}

/** Either the connection of a session or a transaction on it. */
export type Connection = postgres.ISql;

/** Creates a user, whose account has 100 credits. */
export async function userAccount(): Promise<Account> {
  const { id } = await signUp();
  const owner = { user_id: id };
  return { id: await accountId(owner), owner, spenders: [owner] };
}

/** Creates a team of two, whose account has 100 credits. Each may spend a million a month. */
export async function teamAccount(): Promise<Account> {
  const members = await Promise.all([signUp(), signUp()]);
  const service = serviceClient();
  const { data: team } = await service.from("teams").insert({ name: "T" }).select("id").single();
  assert.ok(team);
  const owner = { team_id: team.id };
  const spenders = members.map(({ id }) => ({ user_id: id, team_id: team.id }));
  const { error } = await service.from("team_members")
    .insert(spenders.map((spender) => ({ ...spender, role: "owner" })));
  assert.equal(error, null);
  await withSession(async (sql) => {
    await sql`update credit_member_limits set credit_limit = 1000000 where team_id = ${team.id}`;
    await call(sql, { name: "grant_credits", args: { ...owner, amount: 100 } });
  });
  return { id: await accountId(owner), owner, spenders };
}

async function accountId(owner: Account["owner"]): Promise<string> {
  return await withSession(async (sql) => {
    const [column = "", value = ""] = Object.entries(owner)[0] ?? [];
    const [row] = await sql`select id from credit_accounts where ${sql(column)} = ${value}`;
    return row?.id;
  });
}

/** Opens a connection with the role that the functions have in the database. */
export function connectAsService(): postgres.Sql {
  return postgres(stack.dbUrl, { max: 1, connection: { role: "service_role" } });
}

/**
 * The same, but it detects deadlocks at once. Only a superuser can set that. With the default of one second, all other
 * sessions would wait too.
 */
export function connectForDeadlocks(): postgres.Sql {
  return postgres(stack.adminDbUrl, {
    max: 1,
    connection: { role: "service_role", deadlock_timeout: "20ms" },
  });
}

/** Runs something on such a connection and closes it. */
export async function withSession<T>(run: (sql: postgres.Sql) => Promise<T>): Promise<T> {
  const sql = connectAsService();
  try {
    return await run(sql);
  } finally {
    await sql.end();
  }
}

/** Calls a function and returns its row. */
export async function call(sql: Connection, { name, args }: Call): Promise<postgres.Row> {
  const given = Object.entries(args).filter(([, value]) => value !== undefined);
  const list = given.map(([key], i) => `${key} => $${i + 1}`).join(", ");
  const values = given.map(([, value]) => value as postgres.ParameterOrJSON<never>);
  const [row] = await sql.unsafe(`select * from ${name}(${list})`, values, { prepare: true });
  assert.ok(row);
  return row;
}

/** What one session does on its connection. */
export type Step<T = unknown> = (sql: postgres.Sql) => Promise<T>;

/**
 * Runs sessions at once, each once and on its own connection.
 *
 * @param steps What each session does.
 * @param connect Opens the connection of a session.
 */
export async function atOnce<T>(
  steps: Step<T>[],
  connect: (index: number) => postgres.Sql | Promise<postgres.Sql> = connectAsService,
): Promise<T[]> {
  const connections = await Promise.all(steps.map((_, index) => connect(index)));
  try {
    // All are connected before the first begins.
    const backends = await Promise.all(
      connections.map((sql) => sql`select pg_backend_pid() as pid, current_user as role`),
    );
    assert.equal(new Set(backends.map(([row]) => row?.pid)).size, steps.length);
    assert.ok(backends.every(([row]) => row?.role === "service_role"));
    return await Promise.all(steps.map((step, index) => step(connections[index] as postgres.Sql)));
  } finally {
    await Promise.all(connections.map((sql) => sql.end()));
  }
}

/** Far longer than anything should take. */
const PATIENCE_MS = 60_000;

/**
 * Runs sessions at once, each repeatedly.
 *
 * @param seconds Duration, multiplied by `soak`.
 * @param enough Whether the random events that the test needs have happened. Continues until then.
 */
export async function again(
  seconds: number,
  steps: Step[],
  connect?: Parameters<typeof atOnce>[1],
  enough: () => boolean = () => true,
): Promise<void> {
  const loop = (step: Step): Step => async (sql) => {
    const end = performance.now() + seconds * soak * 1000;
    const latest = end + PATIENCE_MS;
    while (performance.now() < end || !enough() && performance.now() < latest) await step(sql);
  };
  await atOnce(steps.map(loop), connect);
}
