import assert from "node:assert/strict";

import { test } from "../../supabase/functions/_testing/testing.ts";
import { Chats, ChatsError, Keyring, MemoryStore } from "../mod.ts";

const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));

test("README: the example of encrypted chats runs in Deno and Node.js, and prints what its comments say", async () => {
  const readme = await read("../../README.md");
  const [example = ""] = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code = ""]) => code)
    .filter((code) => code.includes("new Chats("));
  const printed = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
  assert.equal(printed.length, 3);
  const dir = await Deno.makeTempDir({ prefix: "strongroom-readme-" });
  try {
    const [file, bundle] = [`${dir}/example.ts`, `${dir}/example.mjs`];
    const entry = new URL("../mod.ts", import.meta.url).href;
    await Deno.writeTextFile(file, example.replace("./client/mod.ts", entry));
    const config = ["--quiet", `--config=${new URL("../../deno.json", import.meta.url).pathname}`];
    const deno = Deno.execPath();
    assert.deepEqual(await run(deno, ["run", "-A", ...config, file]), printed);
    await run(deno, ["bundle", ...config, "--platform=deno", `--output=${bundle}`, file]);
    // supabase-js needs it for Realtime; Node.js has it since 22.
    const webSocket = "globalThis.WebSocket ??= class {};\n";
    await Deno.writeTextFile(bundle, webSocket + await Deno.readTextFile(bundle));
    assert.deepEqual(await run("node", [bundle]), printed);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});

/** Returns the lines that a program prints, with double quotes around its strings. */
async function run(command: string, args: string[]): Promise<string[]> {
  const options = { args, env: { NO_COLOR: "1" }, stdin: "null" } as const;
  const { code, stdout, stderr } = await new Deno.Command(command, options).output();
  const [out = "", errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `${command} ${args.join(" ")}:\n${out}${errors}`);
  return out.trim().replaceAll("'", '"').split("\n");
}

Deno.test("client/README.md: its tables list every method and every code of the client's own", async () => {
  const page = await read("../README.md");
  const names = (prototype: object) =>
    Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  const internal = ["refresh", "version"];
  const methods = [Chats, Keyring, MemoryStore].flatMap(({ prototype }) => names(prototype));
  for (const name of methods.filter((name) => !internal.includes(name))) {
    assert.match(page, RegExp(`^\\|.*\`${name}\\b`, "m"), name);
  }
  const folder = new URL("../chats/", import.meta.url);
  for await (const { name } of Deno.readDir(folder)) {
    const source = await read(`../chats/${name}`);
    for (const [, code = ""] of source.matchAll(/new ChatsError\(\s*"(\w+)"/g)) {
      assert.match(page, RegExp(`^\\| \`${code}\``, "m"), code);
    }
  }
  assert.equal(new ChatsError("keys_locked", "Locked").status, 0);
});
