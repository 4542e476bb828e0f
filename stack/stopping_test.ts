import assert from "node:assert/strict";
import postgres from "postgres";

import {
  type Checkout,
  processesOf,
  withCheckout,
} from "../supabase/functions/_testing/checkout.ts";
import { test, until } from "../supabase/functions/_testing/testing.ts";

/** How the user starts the stack without an installed Deno. */
const NPX = ["npx", "--yes", `deno@${Deno.version.deno}`, "task"];

/** What PostgreSQL logs when it was not stopped in order, but killed because it did not stop in time. */
const KILLED = "received immediate shutdown request";

/** Connects to the database of a checkout, on a connection of its own. */
async function connect(checkout: Checkout): Promise<postgres.Sql> {
  const { dbUrl } = await checkout.stack();
  return postgres(dbUrl, { max: 1, onnotice: () => {} });
}

async function postgresLog({ dir }: Checkout): Promise<string> {
  return await Deno.readTextFile(`${dir}/postgres/postgres.log`);
}

test("a Ctrl-C in the terminal, which reaches all processes, stops them in order", async () => {
  await withCheckout(async (checkout) => {
    const { child, ended } = await checkout.start(undefined, true);
    // The stack cannot do anything yet: whatever ends now has got the signal itself.
    child.kill("SIGSTOP");
    Deno.kill(-child.pid, "SIGINT");
    const sql = await connect(checkout);
    await sql`select 1`;
    await sql.end();
    child.kill("SIGCONT");
    const { code, output } = await ended();
    assert.equal(code, 0);
    assert.match(output, /Stopped\. The data has been kept/);
    assert.doesNotMatch(output, /ended unexpectedly/);
    assert.deepEqual(processesOf(checkout.root), []);
  });
});

test("a signal to npx alone stops the whole stack", async () => {
  await withCheckout(async (checkout) => {
    // The stack gets no signal when npx is killed, and notices that.
    for (const signal of ["SIGTERM", "SIGINT", "SIGKILL"] as const) {
      const { child } = await checkout.start(NPX);
      child.kill(signal);
      await until(async () => (await checkout.command("status")).code === 3);
      await until(() => processesOf(checkout.root).length === 0);
      await child.status;
    }
  });
});

test("connections that are opened while the database stops, and on which nothing is sent, do not keep it from stopping", async () => {
  await withCheckout(async (checkout) => {
    const { child } = await checkout.start();
    // Only the superuser sees the kinds of processes.
    const sql = postgres((await checkout.stack()).adminDbUrl, { max: 1 });
    const [checkpointer] = await sql`
      select pid from pg_stat_activity where backend_type = 'checkpointer'`;
    await sql.end();
    // The server ends after it: so it is still stopping when the connections are opened, however fast it is.
    Deno.kill(checkpointer?.pid, "SIGSTOP");
    child.kill("SIGINT");
    await until(async () =>
      (await postgresLog(checkout)).includes("received fast shutdown request")
    );
    const port = Number(checkout.environment.STACK_DB_PORT);
    const silent = await Promise.all(
      Array.from({ length: 5 }, () => Deno.connect({ hostname: "127.0.0.1", port })),
    );
    Deno.kill(checkpointer?.pid, "SIGCONT");
    assert.equal((await child.status).code, 0);
    for (const connection of silent) connection.close();
    assert.ok(!(await postgresLog(checkout)).includes(KILLED));
  });
});
