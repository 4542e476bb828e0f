/**
 * `deno task package`: builds the npm package, checks it, and packs it.
 *
 * @module
 */

import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { publint } from "publint";
import { formatMessage } from "publint/utils";

import { bundle, CLIENT_DIR, ENTRIES, PACKAGE_DIR } from "./bundle.ts";
import { checkConsumerTypes } from "./consumer_types.ts";
import { checkSizes, specifier } from "./sizes.ts";

/** Where the archive is put, whatever the version. */
const ARCHIVE = `${CLIENT_DIR}dist/strongroom-client.tgz`;

const HELP = `Builds client/ into the npm package @strongroom/client, checks it, and packs it.

  deno task package

Prints the path of the archive, which npm install accepts.
`;

/** Ways to resolve a package of ES modules. Older ones do not know its entry points. */
const RESOLUTIONS = ["node16-esm", "bundler"];

/** Packs the package. */
async function pack(): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command("npm", {
    args: ["pack", "--json", "--silent"],
    cwd: PACKAGE_DIR,
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  if (code !== 0) {
    throw new Error(`npm pack failed:\n${decoder.decode(stderr)}`);
  }
  const [{ filename }] = JSON.parse(decoder.decode(stdout));
  await Deno.rename(`${PACKAGE_DIR}/${filename}`, ARCHIVE);
}

/** Imports each entry point, and derives a key, which loads a chunk on demand. */
const SMOKE = `
  for (const entry of ENTRIES) await import(entry);
  const { signInPassword } = await import(CHATS);
  if ((await signInPassword("ada@example.com", "correct horse")).length < 20) throw new Error("no password");
`;

/** Returns what goes wrong when Node.js and Deno import the package. */
async function checkRuntimes(): Promise<string[]> {
  const path = (entry: string) => JSON.stringify(`${PACKAGE_DIR}/${entry}.js`);
  const script = SMOKE.replace("ENTRIES", `[${Object.keys(ENTRIES).map(path)}]`)
    .replace("CHATS", path("chats"));
  const commands: [string, string[]][] = [
    ["node", ["--input-type=module", "--eval", script]],
    [Deno.execPath(), ["eval", script]],
  ];
  const faults: string[] = [];
  for (const [command, args] of commands) {
    const { code, stderr } = await new Deno.Command(command, { args, stdin: "null" }).output();
    if (code !== 0) faults.push(`${command}: ${new TextDecoder().decode(stderr)}`);
  }
  return faults;
}

/** Returns what is wrong with the archive. */
async function check(): Promise<string[]> {
  const bytes = await Deno.readFile(ARCHIVE);
  const manifest = JSON.parse(
    await Deno.readTextFile(`${PACKAGE_DIR}/package.json`),
  );
  const { messages } = await publint({ pack: { tarball: bytes.buffer } });
  const faults = messages.map((message) => `publint: ${formatMessage(message, manifest)}`);

  const types = await checkPackage(createPackageFromTarballData(bytes));
  if (!types.types) faults.push("attw: the package has no types");
  else {
    const problems = types.problems.filter((problem) =>
      !("resolutionKind" in problem) ||
      RESOLUTIONS.includes(problem.resolutionKind)
    );
    faults.push(
      ...problems.map((problem) => `attw: ${JSON.stringify(problem)}`),
    );
  }

  const expected = [
    ...Object.keys(ENTRIES).map(specifier),
    `${manifest.name}/package.json`,
  ];
  const exported = Object.keys(manifest.exports).map((path) => path.replace(".", manifest.name));
  if (expected.sort().join() !== exported.sort().join()) {
    faults.push(
      `package.json exports ${exported.join()}, but the entry points are ${expected.join()}`,
    );
  }
  const changes = await Deno.readTextFile(`${CLIENT_DIR}../CHANGELOG.md`);
  const release = manifest.version.replace(/-.*/, "");
  if (!changes.includes(release)) {
    faults.push(`CHANGELOG.md does not mention ${release}`);
  }
  faults.push(...await checkConsumerTypes(), ...await checkSizes(), ...await checkRuntimes());
  return faults;
}

if (Deno.args.length > 0) {
  console.log(HELP);
  Deno.exit(Deno.args.includes("--help") ? 0 : 2);
}
await bundle();
await pack();
const faults = await check();
for (const fault of faults) console.error(fault);
console.log(ARCHIVE);
Deno.exit(faults.length > 0 ? 1 : 0);
