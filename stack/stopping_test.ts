import assert from "node:assert/strict";

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

async function postgresLog({ dir }: Checkout): Promise<string> {
  return await Deno.readTextFile(`${dir}/postgres/postgres.log`);
}

test("a Ctrl-C in the terminal, which reaches all processes, stops them in order", async () => {
  await withCheckout(async (checkout) => {
    const { child, rest } = await checkout.start(undefined, true);
    Deno.kill(-child.pid, "SIGINT");
    assert.equal((await child.status).code, 0);
    assert.match(rest(), /Stopped\. The data has been kept/);
    assert.doesNotMatch(rest(), /ended unexpectedly/);
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
    const address = { hostname: "127.0.0.1", port: Number(checkout.environment.STACK_DB_PORT) };
    const silent: Deno.Conn[] = [];
    child.kill("SIGINT");
    // Until the server does not listen any more. It refuses those that arrive last, and they never read that.
    while (true) {
      try {
        silent.push(await Deno.connect(address));
      } catch {
        break;
      }
      // The server starts a process for each: more than it may have are no test of this.
      if (silent.length > 50) silent.shift()?.close();
    }
    assert.equal((await child.status).code, 0);
    for (const connection of silent) connection.close();
    assert.ok(!(await postgresLog(checkout)).includes(KILLED));
  });
});
