import assert from "node:assert/strict";

import { stack, test, withDatabase } from "../supabase/functions/_testing/testing.ts";
import { runImport } from "./source_testing.ts";

const TIME = "2024-05-06 07:08:09+00";

/** Makes a folder with CSV files for the duration of a test. */
async function withFiles(
  files: Record<string, string>,
  run: (dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-import-" });
  try {
    for (const [name, text] of Object.entries(files)) {
      await Deno.writeTextFile(`${dir}/${name}.csv`, text);
    }
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
    await withDatabase(async (here) => {
      await here`delete from private.imports where product = 'chuk'`;
      await here`delete from private.import_refusals where product = 'chuk'`;
    });
  }
}

test("import gives no user another role than that of users", async () => {
  const id = crypto.randomUUID();
  const users = `id,email,role,aud,created_at,updated_at\n` +
    `${id},${id}@example.com,service_role,service_role,${TIME},${TIME}\n`;
  await withFiles({ "auth.users": users }, async (dir) => {
    const { code, output } = await runImport(["--product", "chuk", "--from", dir]);
    assert.equal(code, 0, output);
    await withDatabase(async (here) => {
      const [user] = await here`select role, aud from auth.users where id = ${id}`;
      assert.deepEqual({ ...user }, { role: "authenticated", aud: "authenticated" });
      await here`delete from auth.users where id = ${id}`;
    });
  });
});

test("import asks no other route for an object, and follows no link out of the folder", async () => {
  const asked: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, (request) => {
    asked.push(new URL(request.url).pathname);
    return new Response("{}", { headers: { "content-type": "application/json" } });
  });
  const names = [
    "../../../../rest/v1/rpc/grant_credits",
    "a/../../b",
    "./x",
    "a//b",
    "..",
    "/x",
    "a\\b",
  ];
  const objects = (list: string[]) =>
    "id,bucket_id,name,metadata,created_at,updated_at\n" +
    list.map((name) =>
      `${crypto.randomUUID()},user-avatars,${name},"{""size"": 2, ""mimetype"": ""image/png""}",${TIME},${TIME}\n`
    ).join("");
  const secret = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(secret, "secret");
    await withFiles({ "storage.objects": objects(names) }, async (dir) => {
      const args = ["--product", "chuk", "--from", dir];
      const storage = ["--storage", `http://127.0.0.1:${server.addr.port}`];
      const environment = { SOURCE_SECRET_KEY: "sb_secret_test" };
      const checked = await runImport([...args, ...storage, "--check"], environment);
      assert.match(checked.output, /name: not a path in a bucket/);
      const copied = await runImport([...args, ...storage, "--leave-out"], environment);
      assert.match(copied.output, /name: not a path in a bucket/);
      assert.deepEqual(asked, []);
    });
    await withFiles({ "storage.objects": objects(["link.png"]) }, async (dir) => {
      await Deno.mkdir(`${dir}/objects/user-avatars`, { recursive: true });
      await Deno.symlink(secret, `${dir}/objects/user-avatars/link.png`);
      const { output } = await runImport(["--product", "chuk", "--from", dir, "--leave-out"]);
      assert.match(output, /object: has no bytes/);
    });
  } finally {
    await Deno.remove(secret);
    await server.shutdown();
  }
});

test("import shows no part of a URL that is not valid, and few names of many columns", async () => {
  for (const password of ["SECRET/PW", "SECRET#PW", "SECRET%PW", "SECRET[PW"]) {
    const url = `postgresql://postgres:${password}@[host/db`;
    for (const args of [["--from", url], ["--from", stack.adminDbUrl, "--to", url]]) {
      const { code, output } = await runImport(["--product", "wbot", ...args]);
      assert.equal(code, 2, output);
      assert.ok(!output.includes("SECRET"), output);
      assert.match(output, /is not valid/);
    }
  }
  const header = Array.from({ length: 5000 }, (_, n) => `column_${n}`).join(",");
  await withFiles({ "auth.users": `id,email,${header}\n` }, async (dir) => {
    const { output } = await runImport(["--product", "chuk", "--from", dir, "--check"]);
    assert.match(output, /column_0, .* and 49\d\d more/);
    assert.ok(output.length < 5000, output);
  });
});
