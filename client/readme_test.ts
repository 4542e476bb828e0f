import assert from "node:assert/strict";

import { test } from "../supabase/functions/_testing/testing.ts";
import { Chats, ChatsError, Keyring, MemoryStore } from "./chats.ts";

const read = (path: string) => Deno.readTextFile(new URL(path, import.meta.url));

test("README: the example of encrypted chats runs, and says what it says", async () => {
  const readme = await read("../README.md");
  const [example = ""] = [...readme.matchAll(/```ts\n([^]*?)```/g)].map(([, code = ""]) => code)
    .filter((code) => code.includes("new Chats("));
  const expected = [...example.matchAll(/console\.log\(.*\); \/\/ (.*)/g)].map(([, text]) => text);
  const chats = new URL("./chats.ts", import.meta.url).href;
  const process = 'import process from "node:process";\n';
  const source = process + example.replace("./client/chats.ts", chats) + "\nexport {};\n";
  const printed: string[] = [];
  const { log } = console;
  console.log = (...values) =>
    printed.push(
      values.map((value) => typeof value === "string" ? value : Deno.inspect(value)).join(" "),
    );
  try {
    await import(`data:application/typescript,${encodeURIComponent(source)}`);
  } finally {
    console.log = log;
  }
  assert.equal(expected.length, 3);
  assert.deepEqual(printed, expected);
});

Deno.test("client/README.md: its tables have every method, and every code of the client's own", async () => {
  const page = await read("./README.md");
  const names = (prototype: object) =>
    Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor");
  const internal = ["refresh", "version"];
  const methods = [Chats, Keyring, MemoryStore].flatMap(({ prototype }) => names(prototype));
  for (const name of methods.filter((name) => !internal.includes(name))) {
    assert.match(page, RegExp(`^\\|.*\`${name}\\b`, "m"), name);
  }
  for (const file of ["request", "chat_reader", "stored_keys"]) {
    const source = await read(`./${file}.ts`);
    for (const [, code] of source.matchAll(/new ChatsError\(\s*"(\w+)"/g)) {
      assert.match(page, RegExp(`^\\| \`${code}\``, "m"), code);
    }
  }
  assert.equal(new ChatsError("keys_locked", "Locked").status, 0);
});
