import assert from "node:assert/strict";
import { SignJWT } from "jose";

import { test, until } from "../supabase/functions/_testing/testing.ts";
import { type Functions, startFunctions } from "./functions.ts";
import { serveGateway } from "./gateway.ts";
import type { StackKeys } from "./keys.ts";
import type { ProjectConfig } from "./options.ts";
import { freePort } from "./ports.ts";

const keys: StackKeys = {
  jwtSecret: "a secret of the tests of the functions' process",
  jwtKid: "kid",
  publishableKey: "sb_publishable_x",
  secretKeys: { default: "sb_secret_x", cron: "sb_secret_y" },
  databasePassword: "p",
};

interface Fixture {
  dir: string;
  functions: Functions;
  log: string[];
  ask(path: string): Promise<Response>;
}

/** Runs functions that the test defines, each by the body of its handler. */
async function withFunctions(
  handlers: Record<string, string>,
  run: (fixture: Fixture) => Promise<void>,
  modules: Record<string, string> = {},
): Promise<void> {
  const dir = await Deno.makeTempDir();
  // Before the start: a new file makes the functions load again, while a request may be under way.
  for (const [name, source] of Object.entries(modules)) await writeModule(dir, name, source);
  for (const [name, body] of Object.entries(handlers)) await writeFunction(dir, name, body);
  await Deno.writeTextFile(`${dir}/.env`, 'OWN_SECRET="from the file"\n');
  const log: string[] = [];
  const functions = await startFunctions({
    dir,
    apiUrl: "http://127.0.0.1:1",
    access: { port: 2, password: "p" },
    keys,
    deno: Deno.env.get("STACK_DENO") ?? Deno.execPath(),
    log: (line) => log.push(line),
    watch: true,
  });
  try {
    await run({
      dir,
      functions,
      log,
      ask: (path) => functions.fetch(new Request(`http://127.0.0.1:1/${path}`)),
    });
  } finally {
    await functions.stop();
    await Deno.remove(dir, { recursive: true });
  }
}

function writeFunction(dir: string, name: string, body: string): Promise<void> {
  return writeModule(
    dir,
    name,
    `export default { fetch: async (request: Request) => { ${body} } };\n`,
  );
}

async function writeModule(dir: string, name: string, source: string): Promise<void> {
  await Deno.mkdir(`${dir}/${name}`, { recursive: true });
  await Deno.writeTextFile(`${dir}/${name}/index.ts`, source);
}

test("a function has the environment variables of the platform and its own secrets", async () => {
  await withFunctions({ env: "return Response.json(Deno.env.toObject());" }, async ({ ask }) => {
    const env = await (await ask("env")).json();
    assert.equal(env.SUPABASE_URL, "http://127.0.0.1:1");
    assert.equal(env.SUPABASE_DB_URL, "postgresql://postgres:postgres@127.0.0.1:2/postgres");
    assert.deepEqual(JSON.parse(env.SUPABASE_PUBLISHABLE_KEYS), { default: "sb_publishable_x" });
    assert.deepEqual(JSON.parse(env.SUPABASE_SECRET_KEYS), keys.secretKeys);
    assert.equal(JSON.parse(env.SUPABASE_JWKS).keys[0].kid, "kid");
    assert.equal(env.OWN_SECRET, "from the file");
    assert.equal(env.SUPABASE_SECRET_KEY, undefined, "nothing of the surroundings leaks in");
  });
});

test("a function may use the network and its own files, and nothing else", async () => {
  const attempt = (code: string) =>
    `try { ${code}; return new Response("allowed"); } catch (error) {
      return new Response(error.name); }`;
  await withFunctions({
    own: attempt(`await Deno.readTextFile(new URL("./index.ts", import.meta.url))`),
    elsewhere: attempt(`await Deno.readTextFile("/etc/hostname")`),
    write: attempt(`await Deno.writeTextFile("./x", "x")`),
    run: attempt(`await new Deno.Command("true").output()`),
    network: attempt(`Deno.listen({ hostname: "127.0.0.1", port: 0 }).close()`),
  }, async ({ ask }) => {
    const answer = async (path: string) => await (await ask(path)).text();
    assert.equal(await answer("own"), "allowed");
    assert.equal(await answer("network"), "allowed");
    for (const path of ["elsewhere", "write", "run"]) {
      assert.match(await answer(path), /^(NotCapable|PermissionDenied)$/, path);
    }
  });
});

test("a function that does not load returns 503 and does not affect the others", async () => {
  await withFunctions({ good: `return new Response("good");` }, async ({ ask, log }) => {
    const bad = await ask("bad");
    assert.equal(bad.status, 503);
    assert.equal((await bad.json()).code, "BOOT_ERROR");
    assert.equal(await (await ask("good")).text(), "good");
    await until(() => log.some((line) => line.includes("does not load")));
  }, { bad: `throw new Error("does not load");` });
});

test("a function without a default export is refused and listens on no port", async () => {
  const modules = {
    serves: `Deno.serve(() => new Response("x"));`,
    none: `export const fetch = () => new Response("x");`,
  };
  await withFunctions({}, async ({ ask, log }) => {
    for (const name of Object.keys(modules)) {
      const response = await ask(name);
      assert.equal(response.status, 503);
      await response.body?.cancel();
    }
    await until(() => log.some((line) => line.includes("export default { fetch } instead")));
    await until(() => log.some((line) => line.includes("none/index.ts has no default export")));
  }, modules);
});

test("when the functions' process is killed, its requests end and the next ones are served", async () => {
  await withFunctions({
    slow: `console.log("slow has begun"); await new Promise(() => {}); return new Response();`,
    quick: `return new Response("quick");`,
  }, async ({ functions, ask, log }) => {
    const slow = ask("slow");
    await until(() => log.includes("slow has begun"));
    await functions.kill();
    const response = await slow;
    assert.equal(response.status, 502);
    assert.equal((await response.json()).code, "WORKER_ERROR");
    assert.equal(await (await ask("quick")).text(), "quick");
  });
});

test("functions reload when their source changes", async () => {
  await withFunctions({ hello: `return new Response("before");` }, async ({ dir, ask }) => {
    assert.equal(await (await ask("hello")).text(), "before");
    await writeFunction(dir, "hello", `return new Response("after");`);
    await until(async () => await (await ask("hello")).text() === "after");
  });
});

test("a syntax error in a function is shown when the file is saved", async () => {
  await withFunctions({ hello: `return new Response("before");` }, async ({ dir, ask, log }) => {
    await writeFunction(dir, "hello", "return new Response(;");
    await until(() => log.some((line) => line.includes(`${dir}/hello/index.ts:1:`)));
    assert.ok(!log.includes("Functions reloaded"));
    await writeFunction(dir, "hello", `return new Response("after");`);
    await until(() => log.includes("Functions reloaded"));
    assert.equal(await (await ask("hello")).text(), "after");
  });
});

test("the gateway passes on method, path, query, headers and body, and refuses names that are not functions", async () => {
  await withFunctions({
    echo: `return Response.json({ method: request.method, url: new URL(request.url).pathname +
      new URL(request.url).search, header: request.headers.get("x-test"), body: await request.text() });`,
  }, async ({ functions }) => {
    const config = { functions: { echo: { verify_jwt: false } } } as unknown as ProjectConfig;
    await withGateway(functions, config, async (url) => {
      const response = await fetch(`${url}/functions/v1/echo/a%20b?c=d&c=e`, {
        method: "PATCH",
        headers: { "x-test": "t" },
        body: "body",
      });
      assert.deepEqual(await response.json(), {
        method: "PATCH",
        url: "/echo/a%20b?c=d&c=e",
        header: "t",
        body: "body",
      });
      for (const path of ["none", "_shared", "..%2Fecho", "", "echo.ts"]) {
        const unknown = await fetch(`${url}/functions/v1/${path}`);
        assert.equal(unknown.status, 404, path);
        assert.equal((await unknown.json()).code, "NOT_FOUND", path);
      }
    });
  });
});

test("the gateway requires a session token unless verify_jwt is off", async () => {
  await withFunctions({ closed: `return new Response("open");` }, async ({ functions }) => {
    const config = { functions: {} } as unknown as ProjectConfig;
    await withGateway(functions, config, async (url) => {
      const ask = async (headers: HeadersInit = {}, method = "GET") => {
        const response = await fetch(`${url}/functions/v1/closed`, { method, headers });
        await response.body?.cancel();
        return response.status;
      };
      const token = await new SignJWT({ sub: "x" }).setProtectedHeader({ alg: "HS256" })
        .sign(new TextEncoder().encode(keys.jwtSecret));
      assert.equal(await ask(), 401);
      assert.equal(await ask({ authorization: "Bearer x" }), 401);
      assert.equal(await ask({ apikey: "sb_secret_x" }), 401);
      assert.equal(await ask({ authorization: `Bearer ${token}` }), 200);
      assert.equal(await ask({}, "OPTIONS"), 200, "a preflight has no token");
    });
  });
});

async function withGateway(
  functions: Functions,
  config: ProjectConfig,
  run: (url: string) => Promise<void>,
): Promise<void> {
  const port = freePort();
  const lite = {
    fetch: () => Promise.resolve(new Response("REST", { status: 418 })),
    close: () => Promise.resolve(),
  };
  const realtime = {
    fetch: () => Promise.resolve(new Response("Realtime", { status: 418 })),
    close: () => Promise.resolve(),
  };
  const gateway = serveGateway(port, { lite, functions, realtime, keys, config });
  try {
    await run(`http://127.0.0.1:${port}`);
  } finally {
    await gateway.stop();
  }
}
