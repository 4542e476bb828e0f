/**
 * Runs the cryptography outside Deno: in Node.js, and with only what a web page has.
 */

import assert from "node:assert/strict";

const SUPPORT = `${import.meta.dirname}/../support`;

Deno.test("runtimes: the tests of the cryptography pass under Node.js", async () => {
  await withBundle("node_tests.ts", ["--platform=deno"], async (bundle) => {
    const report = await run("node", ["--test", "--test-reporter=tap", bundle]);
    assert.match(report, /^# fail 0$/m, report);
    assert.equal(Number(/^# pass (\d+)$/m.exec(report)?.[1]), await countTests());
  });
});

Deno.test("runtimes: a page needs WebCrypto, base64 and UTF-8, and nothing else", async () => {
  await withBundle("page.ts", ["--platform=browser", "--format=iife"], async (bundle) => {
    const script = `
      const context = require("node:vm").createContext(
        { crypto, TextEncoder, TextDecoder, atob, btoa },
      );
      require("node:vm").runInContext(
        require("node:fs").readFileSync(process.argv[1], "utf8"),
        context,
      );
      context.result.then(console.log);
    `;
    const hello = "Hello from a page";
    assert.equal(await run("node", ["-e", script, bundle]), `${hello}, ${hello}, ${hello}\n`);
  });
});

async function countTests(): Promise<number> {
  const entry = await Deno.readTextFile(`${SUPPORT}/node_tests.ts`);
  let count = 0;
  for (const [, file] of entry.matchAll(/^import "(.*_test\.ts)";$/gm)) {
    const text = await Deno.readTextFile(`${SUPPORT}/${file}`);
    count += text.match(/^Deno\.test\(/gm)?.length ?? 0;
  }
  assert.ok(count > 0);
  return count;
}

async function withBundle(
  entry: string,
  options: string[],
  use: (bundle: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-bundle-" });
  try {
    const bundle = `${dir}/bundle.${options.includes("--format=iife") ? "js" : "mjs"}`;
    await run(Deno.execPath(), [
      "bundle",
      "--quiet",
      ...options,
      `--output=${bundle}`,
      `${SUPPORT}/${entry}`,
    ]);
    await use(bundle);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

async function run(command: string, args: string[]): Promise<string> {
  const { code, stdout, stderr } = await new Deno.Command(command, { args, stdin: "null" })
    .output();
  const [out, errors] = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes));
  assert.equal(code, 0, `${command} ${args.join(" ")}:\n${out}${errors}`);
  return out!; // two were decoded
}
