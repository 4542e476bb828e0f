import assert from "node:assert/strict";

const CLIENT = new URL("../", import.meta.url);

/** The folders that an app copies. */
const FOLDERS = ["crypto", "chats"];

Deno.test("client: the files that an app copies have no tests and import only each other, the types of supabase-js, and hash-wasm when it is needed", async () => {
  for (const [file, source] of await sources()) {
    assert.doesNotMatch(file, /test/);
    for (const target of imports(file, source)) {
      if (target === "@supabase/supabase-js") {
        assert.match(source, /import type .* from "@supabase\/supabase-js"/, file);
      } else if (file === "crypto/argon2id.ts" && target === "hash-wasm") continue;
      else assert.match(target, /^(crypto|chats)\/\w+\.ts$/, `${file} imports ${target}`);
    }
  }
});

Deno.test("client: the cryptography imports only itself, and chats import only its entry", async () => {
  for (const [file, source] of await sources()) {
    const targets = imports(file, source);
    if (file.startsWith("crypto/")) {
      for (const target of targets) assert.match(target, /^crypto\//, `${file}: ${target}`);
    } else {
      const parts = targets.filter((target) => /^crypto\/(?!mod\.ts)/.test(target));
      assert.deepEqual(parts, [], file);
    }
  }
});

/** Returns the files that an app copies: their paths below `client/`, and their text. */
async function sources(): Promise<[string, string][]> {
  const files = ["mod.ts"];
  for (const folder of FOLDERS) {
    for await (const { name } of Deno.readDir(new URL(folder, CLIENT))) {
      files.push(`${folder}/${name}`);
    }
  }
  assert.ok(files.length > 20);
  return await Promise.all(
    files.map(async (file) => [file, await Deno.readTextFile(new URL(file, CLIENT))] as const),
  ) as [string, string][];
}

/** Returns what a file imports: paths below `client/`, or names of packages. */
function imports(file: string, source: string): string[] {
  const specifiers = [...source.matchAll(/^(?:import|export|\}).* from "(.*)";$/gm)];
  return specifiers.map(([, specifier = ""]) =>
    specifier.startsWith(".")
      ? new URL(specifier, new URL(file, CLIENT)).href.slice(CLIENT.href.length)
      : specifier
  );
}
