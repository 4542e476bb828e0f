import assert from "node:assert/strict";
import postgres from "postgres";

import {
  type Checkout,
  processesOf,
  withCheckout,
} from "../supabase/functions/_testing/checkout.ts";
import * as testing from "../supabase/functions/_testing/testing.ts";

const { test, until } = testing;

/** Signs a user up on the stack of a checkout, and returns the address. */
async function signUp(checkout: Checkout): Promise<string> {
  return (await testing.signUp(await checkout.stack())).email;
}

/** Signs in a user who has signed up. */
async function signIn(checkout: Checkout, email: string): Promise<void> {
  const { error } = await testing.anonymousClient(await checkout.stack()).auth
    .signInWithPassword({ email, password: testing.PASSWORD });
  if (error) throw error;
}

/** Counts the prices from the seed. */
async function countPrices(checkout: Checkout): Promise<number> {
  const { count } = await testing.serviceClient(await checkout.stack())
    .from("credit_prices").select("*", { count: "exact", head: true });
  return count ?? 0;
}

test("Ctrl-C stops the stack, leaves no process and no lock, and keeps the data", async () => {
  await withCheckout(async (checkout) => {
    const first = await checkout.start();
    assert.match(first.output, /Strongroom is running/);
    const email = await signUp(checkout);
    assert.equal((await checkout.command("status")).code, 0);

    first.child.kill("SIGINT");
    assert.equal((await first.child.status).code, 0);
    assert.deepEqual(processesOf(checkout.root), []);
    assert.equal((await checkout.command("status")).code, 3);

    const second = await checkout.start();
    await signIn(checkout, email);
    assert.match((await checkout.command("stop")).output, /Stopped/);
    await second.child.status;
    assert.deepEqual(processesOf(checkout.root), []);
  });
});

test("Ctrl-C does not wait for a request that does not end, however often it arrives", async () => {
  await withCheckout(async (checkout) => {
    const { child } = await checkout.start();
    const connection = await Deno.connect({
      hostname: "127.0.0.1",
      port: Number(checkout.environment.STACK_API_PORT),
    });
    const head =
      "POST /functions/v1/credits/deduct HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n";
    await connection.write(new TextEncoder().encode(`${head}half`));
    child.kill("SIGINT");
    // Each program that started the stack passes it on, at a time of its own.
    const again = setInterval(() => {
      try {
        child.kill("SIGINT");
      } catch { /* it has ended */ }
    }, 100);
    const { code } = await child.status;
    clearInterval(again);
    assert.equal(code, 0);
    connection.close();
    assert.deepEqual(processesOf(checkout.root), []);
  });
});

test("a stack that is killed ends with its processes, loses nothing and starts again", async () => {
  await withCheckout(async (checkout) => {
    const first = await checkout.start();
    const email = await signUp(checkout);
    first.child.kill("SIGKILL");
    await first.child.status;

    const second = await checkout.start();
    await signIn(checkout, email);
    second.child.kill("SIGKILL");
    await second.child.status;
    await until(() => processesOf(checkout.root).length === 0);
  });
});

test("a stack runs in a folder that is closed to other users, even as root", async () => {
  await withCheckout(async (checkout) => {
    const { child } = await checkout.start();
    const email = await signUp(checkout);
    child.kill("SIGINT");
    await child.status;
    await checkout.start();
    await signIn(checkout, email);
    assert.match((await checkout.command("reset")).output, /The data has been deleted/);
  }, 0o700);
});

test("a stack runs cleanup jobs on schedule, unless STACK_SCHEDULER is off", async () => {
  await withCheckout(async (checkout) => {
    const runs = async () => {
      const env = await Deno.readTextFile(`${checkout.dir}/env`);
      const sql = postgres(env.match(/^SUPABASE_DB_URL=(.*)$/m)?.[1] ?? "", { max: 1 });
      const [row] = await sql`select count(*)::int as runs from cleanup_runs()`;
      await sql.end();
      return row?.runs;
    };
    const first = await checkout.start();
    assert.equal(await runs(), 0);
    first.child.kill("SIGINT");
    await first.child.status;
    checkout.environment.STACK_SCHEDULER = "on";
    await checkout.start();
    await until(async () => await runs() > 0);
    checkout.environment.STACK_SCHEDULER = "yes";
    assert.match((await checkout.command("start")).output, /STACK_SCHEDULER is "yes"/);
  });
});

test("reset deletes the data and keeps the keys", async () => {
  await withCheckout(async (checkout) => {
    await checkout.start();
    const email = await signUp(checkout);
    const keys = await Deno.readTextFile(`${checkout.dir}/keys.json`);
    assert.match((await checkout.command("reset")).output, /The data has been deleted/);
    await checkout.start();
    await assert.rejects(signIn(checkout, email));
    assert.equal(await Deno.readTextFile(`${checkout.dir}/keys.json`), keys);
  });
});

test("a start that fails says in one sentence what is wrong and what to do, and leaves nothing running", async () => {
  await withCheckout(async (checkout) => {
    const { environment, project, root } = checkout;
    const migrations = `${project}/supabase/migrations`;
    const refused = async (what: RegExp, cure: RegExp, more: Record<string, string> = {}) => {
      const { code, output } = await checkout.command("start", more);
      assert.equal(code, 1, output);
      const [problem, advice] = output.trim().split("\n").slice(-2);
      assert.match(problem ?? "", what);
      assert.match(advice ?? "", cure);
      assert.doesNotMatch(output, /^\s+at /m, "no stack trace");
      assert.deepEqual(processesOf(root), [], "nothing is left running");
    };

    for (const name of ["STACK_API_PORT", "STACK_DB_PORT", "STACK_MAIL_PORT"]) {
      const taken = Deno.listen({ hostname: "127.0.0.1", port: Number(environment[name]) });
      await refused(/^Port \d+ is in use/, new RegExp(name));
      taken.close();
    }
    await refused(/STACK_API_PORT is "x"/, /1 to 65535/, { STACK_API_PORT: "x" });
    const same = { STACK_MAIL_PORT: environment.STACK_API_PORT ?? "" };
    await refused(/need three different ports\.$/, /STACK_MAIL_PORT/, same);
    await refused(/^Cannot write to/, /STACK_DIR/, { STACK_DIR: "/dev/null/stack" });

    await Deno.writeTextFile(
      `${migrations}/29990101000000_broken.sql`,
      "select 1;\n\nselect oops;\n",
    );
    await refused(
      /^supabase\/migrations\/29990101000000_broken\.sql:3 failed: column "oops" does not exist/,
      /start again/,
    );
    await Deno.writeTextFile(`${migrations}/29990101000000_broken.sql`, "select 1;");
    await Deno.writeTextFile(`${migrations}/add_things.sql`, "select 1;");
    const whole = await checkout.start();
    assert.match(whole.output, /Ignored: supabase\/migrations\/add_things\.sql, because its name/);
    await Deno.remove(`${migrations}/add_things.sql`);
    await signUp(checkout);
    assert.ok(
      await countPrices(checkout) > 0,
      "the seed is complete although the first start failed",
    );
    const again = await checkout.command("start");
    assert.equal(again.code, 1);
    assert.match(again.output, /A stack is already running here \(process \d+\)/);
    whole.child.kill("SIGINT");
    await whole.child.status;

    await Deno.remove(`${migrations}/29990101000000_broken.sql`);
    await refused(/^The database has migrations .*: 29990101000000/, /task reset\.?$/);

    await Deno.writeTextFile(`${migrations}/29990101000000_broken.sql`, "select 1;");
    await Deno.writeTextFile(`${project}/stack/platform.sql`, "-- changed\n", { append: true });
    await refused(/^The data was created by another version/, /task reset\.?$/);

    await Deno.writeTextFile(`${project}/supabase/config.toml`, "[");
    await refused(/^Cannot read supabase\/config\.toml/, /Fix the file/);
  });
});

test("a data folder of another PostgreSQL version is refused", async () => {
  await withCheckout(async (checkout) => {
    const data = `${checkout.dir}/postgres/data`;
    await Deno.mkdir(data, { recursive: true });
    await Deno.writeTextFile(`${data}/PG_VERSION`, "16\n");
    const { code, output } = await checkout.command("start");
    assert.equal(code, 1);
    assert.match(
      output,
      /created by PostgreSQL 16, but the stack now runs version 17\.\nDelete the data/,
    );
  });
});

test("the commands print help for --help and name what they do not know", async () => {
  await withCheckout(async (checkout) => {
    const help = await checkout.command("--help");
    assert.equal(help.code, 0);
    for (const word of ["start", "stop", "reset", "status", "STACK_DIR", "STACK_DENO"]) {
      assert.ok(help.output.includes(word), word);
    }
    assert.equal((await checkout.command("start --help")).code, 0);
    for (
      const [command, unknown] of [
        ["begin", "Unknown argument begin."],
        ["start --port=1", "Unknown option --port=1."],
        ["stop now", "Unknown argument now."],
      ] as const
    ) {
      const { code, output } = await checkout.command(command);
      assert.equal(code, 2);
      assert.ok(output.startsWith(unknown), output);
    }
    assert.match((await checkout.command("stop")).output, /No stack is running here/);
  });
});

test("the commands name each other as the user has run them", async () => {
  await withCheckout(async (checkout) => {
    const status = async (npm_lifecycle_event: string) =>
      (await checkout.command("status", { npm_lifecycle_event })).output.trim().split(": ").at(-1);
    assert.equal(await status("npx"), `npx --yes deno@${Deno.version.deno} task start`);
    assert.equal(await status(""), "deno task start");
  });
});

test("a port that only root may use is named", async () => {
  const port = Number(
    await Deno.readTextFile("/proc/sys/net/ipv4/ip_unprivileged_port_start").catch(() => "1024"),
  ) - 1;
  // Some machines let everybody use all ports.
  if (port < 1) return;
  // Root without the right to use these ports.
  const by = Deno.uid() === 0 ? ["setpriv", "--bounding-set=-net_bind_service"] : [];
  const { code, stdout } = await new Deno.Command(by[0] ?? Deno.execPath(), {
    args: [
      ...by.slice(1),
      ...by.slice(0, 1).map(() => Deno.execPath()),
      "eval",
      `import { requireFreePorts } from "${import.meta.resolve("./ports.ts")}";
       try { requireFreePorts({ STACK_API_PORT: ${port} }); } catch (error) {
         console.log(error.message + ". " + error.cure); }`,
    ],
  }).output();
  const output = new TextDecoder().decode(stdout).trim();
  assert.equal(code, 0);
  assert.match(output, new RegExp(`^Only root may use port ${port}\\. .* STACK_API_PORT=\\d{5}$`));
});
