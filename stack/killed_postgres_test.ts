import assert from "node:assert/strict";
import postgres from "postgres";

import {
  killPostgres,
  processesOf,
  withCheckout,
} from "../supabase/functions/_testing/checkout.ts";
import {
  signUp,
  soak,
  test,
  type TestStack,
  until,
} from "../supabase/functions/_testing/testing.ts";

const KILLS = Math.ceil(3 * soak);

/** How often a connection is killed in quick succession. */
const SUCCESSION = 10;

/** Requests at a time to each route. */
const CLIENTS = 2;

/** A request, and the statuses that it gets while the database runs. */
type Route = [path: string, statuses: number[], init: RequestInit];

/** One or more routes of every function and service that call the database. */
function routesOf(stack: TestStack, { id, token }: { id: string; token: string }): Route[] {
  const user = { apikey: stack.publishableKey, authorization: `Bearer ${token}` };
  const service = { apikey: stack.secretKey };
  const post = (headers: Record<string, string>, body: unknown) => ({
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: JSON.stringify(body),
  });
  const message = { role: "user", content: "x" };
  const charge = { user_id: id, amount: 0.0001 };
  const functions: Route[] = [
    ["credits", [200], { headers: user }],
    ["credits/deduct", [200], post(service, charge)],
    ["credits/holds", [201], post(service, { ...charge, expires_in: 60 })],
    ["conversations", [201], post(user, { message })],
    [`projects/${id}/messages`, [404], post(user, message)],
    ["chats/keys", [200], { headers: user }],
    ["files/usage", [200], { headers: user }],
    ["files/downloads", [200], post(user, { bucket: "avatars", paths: [`${id}/x.png`] })],
    ["cleanup", [200], { headers: { apikey: stack.cronKey } }],
  ];
  return [
    ...functions.map(([path, ...rest]): Route => [`functions/v1/${path}`, ...rest]),
    ["rest/v1/profiles?select=id", [200], { headers: user }],
    ["rest/v1/conversations", [201], post(user, { user_id: id, title: "x" })],
    ["rest/v1/rpc/credit_statement", [200], post(service, { user_id: id, month: "2026-11-01" })],
    ["auth/v1/user", [200], { headers: user }],
    ["storage/v1/object/list/avatars", [200], post(user, { prefix: id })],
  ];
}

/**
 * Kills one process of the API's connections: PostgreSQL then ends all others and recovers.
 *
 * @returns Whether there was one.
 */
async function killConnection(stack: TestStack): Promise<boolean> {
  const sql = postgres(stack.adminDbUrl, { max: 1, fetch_types: false });
  const [row] = await sql`
    select pid from pg_stat_activity where usename = 'stack_api' order by random() limit 1`;
  // Before the kill, because the driver cannot end a connection that was lost.
  await sql.end();
  try {
    if (row) Deno.kill(row.pid, "SIGKILL");
    return row !== undefined;
  } catch {
    // It has ended meanwhile.
    return false;
  }
}

/** Kills connections while PostgreSQL and the API recover from the loss of the one before. */
async function killInSuccession(stack: TestStack): Promise<void> {
  await until(() => killConnection(stack));
  for (let kill = 0; kill < SUCCESSION; kill++) {
    await until(() => killConnection(stack).then(() => true, () => false));
    await pause(200);
  }
}

/** Waits for a random time, in milliseconds at most. */
function pause(longest: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, Math.random() * longest));
}

test("the stack stays up when PostgreSQL is killed, and every route answers 503 until it runs again", async () => {
  await withCheckout(async (checkout) => {
    const { child, rest } = await checkout.start();
    let ended = false;
    child.status.then(() => ended = true);
    const stack = await checkout.stack();
    const routes = routesOf(stack, await signUp(stack));
    let unavailable = 0;
    /** Sends a request, and returns whether it was answered as if nothing had happened. */
    const send = async ([path, statuses, init]: Route): Promise<boolean> => {
      const response = await fetch(`${stack.url}/${path}`, init).catch((error) =>
        assert.fail(`${path}: ${error.cause ?? error}\n${rest()}`)
      );
      const text = await response.text();
      if (statuses.includes(response.status)) return true;
      const what = `${path}: ${response.status} ${text}`;
      assert.equal(response.status, 503, what);
      assert.match(response.headers.get("retry-after") ?? "", /^\d+$/, what);
      const { code } = JSON.parse(text);
      const codes = path.startsWith("functions")
        ? ["try_again", "storage_unavailable"]
        : ["PGRST001"];
      assert.ok(codes.includes(code), what);
      unavailable++;
      return false;
    };
    for (let kill = 0; kill < KILLS; kill++) {
      for (const route of routes) await until(() => send(route));
      const before = unavailable;
      let killed = false;
      const load = Promise.all(
        routes.flatMap((route) => Array<Route>(CLIENTS).fill(route)).map(async (route) => {
          // Until the database runs again, for this route too.
          for (let after = 0; after < 2;) {
            after += await send(route) && unavailable > before ? 1 : 0;
          }
        }),
      );
      const kills = (async () => {
        // At any moment of the load.
        await pause(300);
        const ways = [
          () => until(() => killConnection(stack)),
          () => killInSuccession(stack),
          () => killPostgres(checkout),
        ];
        await ways[kill % ways.length]!();
        killed = true;
      })();
      await Promise.all([load, kills]);
      assert.ok(killed && unavailable > before, "Nothing noticed the kill");
      assert.equal(ended, false, "The stack has ended");
    }
    assert.match((await checkout.command("stop")).output, /Stopped/);
    assert.equal((await child.status).code, 0);
    assert.deepEqual(processesOf(checkout.root), []);
  });
});

test("a start waits for the remaining processes of a PostgreSQL that was killed", async () => {
  await withCheckout(async (checkout) => {
    const first = await checkout.start();
    const { adminDbUrl } = await checkout.stack();
    const folder = `${checkout.dir}/postgres`;
    const goOn = () => Deno.writeTextFile(`${folder}/data/go_on`, "");
    const sql = postgres(adminDbUrl, { max: 1 });
    // A busy process does not notice that its parent is gone.
    const busy = sql`do $$ begin
      while (pg_stat_file('go_on', true)).size is null loop end loop; end $$`.catch(() => {});
    try {
      const watcher = postgres(adminDbUrl, { max: 1 });
      let backend: number | undefined;
      await until(async () => {
        const [row] = await watcher`
          select pid from pg_stat_activity where query like 'do %' and state = 'active'`;
        backend = row?.pid;
        return backend !== undefined;
      });
      await watcher.end();
      const [, parent] =
        (await Deno.readTextFile(`/proc/${backend}/status`)).match(/^PPid:\s*(\d+)/m) ??
          [];
      Deno.kill(Number(parent), "SIGKILL");
      first.child.kill("SIGKILL");
      await first.child.status;

      let ended = false;
      const second = checkout.start().finally(() => ended = true);
      await until(async () =>
        ended || (await Deno.readTextFile(`${folder}/postgres.log`))
          .includes("pre-existing shared memory block")
      );
      if (!ended) await goOn();
      assert.match((await second).output, /Strongroom is running/);
    } finally {
      await goOn();
    }
    await busy;
    await sql.end();
  });
});
