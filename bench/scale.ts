/**
 * What reads, routes and cleanup jobs cost in a database with very many rows of others: buffers and milliseconds for a
 * user with little, in an almost empty database and in a full one, and for a user with a lot. Whatever grows with the
 * rows of others shows as a difference between the first two columns.
 *
 * SCALE=1 is 100,000 users with 1.1 million messages and 350,000 objects; the default is 0.02. ONLY=TEXT measures only
 * what has the text in its name. Afterwards, it deletes the account of the user with a lot.
 *
 * @module
 */

import type { Sql, TransactionSql } from "postgres";

import { connect } from "../stack/postgres.ts";
import {
  addHeavy,
  addUsers,
  HEAVY,
  HEAVY_ID,
  LIGHT,
  sizes,
  withoutSearchIndex,
} from "./scale_database.ts";
import { type Caller, QUERIES, type ScaleQuery } from "./scale_queries.ts";
import { ROUTES } from "./scale_routes.ts";
import { withDatabase } from "./throughput.ts";

const SCALE = Number(Deno.env.get("SCALE") ?? "0.02");
const ONLY = Deno.env.get("ONLY") ?? "";

/** What the Data API allows a signed-in user, in milliseconds: more is a 504. */
const STATEMENT_TIMEOUT = 8_000;

/** More buffers than this times those in the empty database, plus as many, are reported as growth. */
const GROWTH = 3;
const SLACK = 60;

/** What a query took: null when it was canceled. */
type Cost = { buffers: number; milliseconds: number } | null;

/** What the placeholders stand for: rows of the user whose number it is. */
function bind(sql: string, number: number): string {
  const key = (kind: string, n: number | string = number) => `md5('${kind}${n}')::uuid`;
  const values: Record<string, string> = {
    $user: key("user"),
    $project: key("project"),
    $conversation: number === HEAVY ? key("heavy conversation", 1) : key("conversation"),
    $session: key("session"),
    $team: key("team", Math.floor(number / 20)),
    $teamproject: key("project", number - 1),
    $public: key("project", 3),
    $chat: key("chat", number * 100 + 1),
    $message: `(select id from messages where project_id = ${key("project")} limit 1)`,
    $object: `${key("user")} || '/' || ${key("file", `${number}-1`)} || '.enc'`,
    $account: key("account"),
    $owner: key("user", Math.max(1, Math.floor(number / 20) * 20)),
    // In no team.
    $stranger: key("user", 19),
    $id: "current_setting('bench.id')::uuid",
    $text: "current_setting('bench.id')",
    $publicobject: `${key("user", 3)} || '/' || ${key("file", "3-1")} || '.enc'`,
  };
  return sql.replace(/\$\w+/g, (name) => values[name] ?? name);
}

/** Runs a statement as a caller, in a transaction that is rolled back. */
async function asCaller<T>(
  sql: Sql,
  as: Caller,
  user: string,
  run: (transaction: TransactionSql) => Promise<T>,
  before = "",
): Promise<T> {
  let result: T | undefined;
  const undo = new Error("undo");
  await sql.begin(async (transaction) => {
    await transaction.unsafe(`
      set local role service_role;
      ${before};
      reset role;
      select set_config('request.jwt.claims',
        case '${as}' when 'authenticated' then json_build_object('sub', ${user}, 'role', 'authenticated')::text
          else '{"role": "${as}"}' end, true);
      set local statement_timeout = ${STATEMENT_TIMEOUT};
      set local role ${as};`).simple();
    result = await run(transaction);
    throw undo;
  }).catch((error) => {
    if (error !== undo) throw error;
  });
  return result as T;
}

/** The buffers and the time of a statement, once what it reads is cached. */
async function measure(sql: Sql, query: ScaleQuery, number: number): Promise<Cost> {
  const text = bind(query.sql, number);
  try {
    let cost: Cost = null;
    for (let run = 0; run < 2; run++) {
      cost = await asCaller(sql, query.as, `md5('user${number}')::uuid`, async (transaction) => {
        const [row] = await transaction.unsafe(`explain (analyze, buffers, format json) ${text}`);
        const [plan] = row?.["QUERY PLAN"] as [
          { Plan: Record<string, number>; "Execution Time": number },
        ];
        return {
          buffers: (plan.Plan["Shared Hit Blocks"] ?? 0) + (plan.Plan["Shared Read Blocks"] ?? 0),
          milliseconds: plan["Execution Time"],
        };
      }, bind(query.before ?? "", number));
    }
    return cost;
  } catch (error) {
    if ((error as { code?: string }).code === "57014" || Deno.env.get("LAX")) {
      console.log((error as Error).message);
      return null;
    }
    throw new Error(`${query.name}: ${(error as Error).message}`, { cause: error });
  }
}

/** The dry run and a batch of each cleanup job. */
async function jobs(admin: Sql): Promise<ScaleQuery[]> {
  const rows = await admin`select name from private.cleanup_jobs order by name`;
  return rows.flatMap(({ name }): ScaleQuery[] => [
    {
      name: `${name}, dry run`,
      as: "service_role",
      sql: `select * from preview_cleanup('${name}')`,
    },
    {
      name: `${name}, a batch`,
      as: "service_role",
      sql: `select * from run_cleanup_batch('${name}', gen_random_uuid())`,
    },
  ]);
}

async function measureAll(sql: Sql, queries: ScaleQuery[], number: number): Promise<Cost[]> {
  const costs: Cost[] = [];
  for (const query of queries) costs.push(await measure(sql, query, number));
  return costs;
}

const show = (cost: Cost) =>
  cost === null
    ? "timeout".padStart(19)
    : `${String(cost.buffers).padStart(8)} ${cost.milliseconds.toFixed(2).padStart(10)}`;

function grows(empty: Cost, light: Cost): boolean {
  return empty !== null && (light === null || light.buffers > GROWTH * empty.buffers + SLACK);
}

/** Deletes the account of the user with a lot as Auth does, and runs the job that removes the rest. */
async function deleteHeavy(admin: Sql): Promise<void> {
  const start = performance.now();
  await admin.unsafe(`delete from auth.users where id = ${HEAVY_ID}`);
  console.log(`\nDeleting the account with a lot: ${(performance.now() - start).toFixed(0)} ms`);
  const lease = crypto.randomUUID();
  const times: number[] = [];
  for (let outcome = "more"; outcome === "more";) {
    const begun = performance.now();
    const [batch] =
      await admin`select outcome from run_cleanup_batch('deleted_accounts', ${lease})`;
    outcome = batch?.["outcome"];
    times.push(performance.now() - begun);
  }
  const total = times.reduce((sum, time) => sum + time, 0);
  console.log(
    `The job deleted_accounts: ${times.length} batches, ${total.toFixed(0)} ms, the longest ${
      Math.max(...times).toFixed(0)
    } ms`,
  );
}

await withDatabase(async (access) => {
  const sql = connect(access, "postgres");
  const admin = connect(access, "supabase_admin");
  const { users } = sizes(SCALE);
  await addUsers(admin, 1, 19);
  await admin.unsafe("vacuum analyze");
  const queries = [...QUERIES, ...ROUTES, ...await jobs(admin)].filter((query) =>
    query.name.includes(ONLY)
  );
  const empty = await measureAll(sql, queries, LIGHT);

  const start = performance.now();
  await withoutSearchIndex(admin, async () => {
    for (let first = 20; first < users; first += 10_000) {
      await addUsers(admin, first, Math.min(users, first + 10_000) - 1);
    }
    await addHeavy(admin, SCALE);
  });
  await admin.unsafe("vacuum analyze");
  console.log(
    `Filled with ${users} users in ${((performance.now() - start) / 1000).toFixed(0)} s\n`,
  );
  const light = await measureAll(sql, queries, LIGHT);
  const heavy = await measureAll(sql, queries, HEAVY);

  console.log(
    `${"buffers and ms".padEnd(62)} ${"empty".padStart(19)} ${"light".padStart(19)} ${
      "heavy".padStart(19)
    }`,
  );
  queries.forEach((query, index) => {
    const [before, now, lots] = [empty[index] ?? null, light[index] ?? null, heavy[index] ?? null];
    const note = grows(before, now) ? "  GROWS" : lots === null ? "  504" : "";
    const name = query.as === "anon" ? `${query.name} (visitor)` : query.name;
    console.log(`${name.padEnd(62)} ${show(before)} ${show(now)} ${show(lots)}${note}`);
  });
  await deleteHeavy(admin);
  await Promise.all([sql.end(), admin.end()]);
});
