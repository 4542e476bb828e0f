/**
 * What each function costs at a cold start: the size of its bundle and the time to import it in a fresh
 * process, as ratios to supabase-js alone.
 *
 * @module
 */

import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

/** Fresh processes per bundle. The median counts. */
const RUNS = 21;

/** The aim for both ratios. */
const AIM = 1.5;

const FUNCTIONS = fileURLToPath(new URL("../supabase/functions/", import.meta.url));

/**
 * CommonJS packages that a function imports on use. They stay outside of the bundles, as the platform keeps modules
 * apart: bundled, the helper that they need and its `node:module` would be part of the entry.
 */
const LOADED_ON_USE = ["file-type"];

/** The least that a function with database access imports. */
const REFERENCE = `import { createClient } from "@supabase/supabase-js";
const client = createClient("http://127.0.0.1", "key");
export default { fetch: () => new Response(String(client)) };
`;

interface Bundle {
  name: string;
  path: string;
  bytes: number;
  milliseconds: number[];
}

async function bundle(name: string, entry: string, dir: string): Promise<Bundle> {
  const outdir = `${dir}/${name}`;
  const { success, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      "bundle",
      "--quiet",
      "--platform=deno",
      "--minify",
      "--code-splitting",
      ...LOADED_ON_USE.map((name) => `--external=${name}`),
      `--outdir=${outdir}`,
      entry,
    ],
    cwd: FUNCTIONS,
  }).output();
  if (!success) throw new Error(`Cannot bundle ${name}: ${new TextDecoder().decode(stderr)}`);
  const path = `${outdir}/${entry.split("/").at(-1)?.replace(".ts", ".js")}`;
  let bytes = 0;
  for (const file of await importedBy(path)) bytes += (await Deno.stat(file)).size;
  return { name, path, bytes, milliseconds: [] };
}

/** A bundle and the chunks that it imports. Those that it loads on use are not part of a cold start. */
async function importedBy(path: string, found = new Set<string>()): Promise<Set<string>> {
  found.add(path);
  const source = await Deno.readTextFile(path);
  for (const [, chunk] of source.matchAll(/\b(?:from|import)\s*"\.\/([^"]+)"/g)) {
    const file = `${dirname(path)}/${chunk}`;
    if (!found.has(file)) await importedBy(file, found);
  }
  return found;
}

async function importCold({ path }: Bundle): Promise<number> {
  const timer = `${path}.timer.js`;
  await Deno.writeTextFile(
    timer,
    `const start = performance.now();
    await import("file://${path}");
    console.log(performance.now() - start);`,
  );
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-all", "--no-config", "--no-code-cache", timer],
    env: {
      SUPABASE_URL: "http://127.0.0.1",
      SUPABASE_PUBLISHABLE_KEYS: '{"default":"sb_publishable_x"}',
      SUPABASE_SECRET_KEYS: '{"default":"sb_secret_x"}',
      SUPABASE_JWKS: '{"keys":[]}',
    },
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return Number(new TextDecoder().decode(stdout));
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

const dir = await Deno.makeTempDir();
try {
  // In the project, so that the import map applies.
  const reference = `${FUNCTIONS}_reference.ts`;
  await Deno.writeTextFile(reference, REFERENCE);
  const bundles: Bundle[] = [];
  try {
    bundles.push(await bundle("supabase-js alone", reference, dir));
  } finally {
    await Deno.remove(reference);
  }
  for (const { name, isDirectory } of Deno.readDirSync(FUNCTIONS)) {
    if (isDirectory && !name.startsWith("_")) {
      bundles.push(await bundle(name, `${FUNCTIONS}${name}/index.ts`, dir));
    }
  }
  // In turns, so that other load on the machine affects all alike.
  for (let run = 0; run < RUNS; run++) {
    for (const each of bundles) each.milliseconds.push(await importCold(each));
  }

  const [base] = bundles;
  if (!base) throw new Error("The reference was not measured");
  console.log(
    `Cold start, median of ${RUNS} fresh processes; aim: at most ${AIM} times the reference\n`,
  );
  console.log("function            bundle            import");
  for (const { name, bytes, milliseconds } of bundles) {
    const size = `${(bytes / 1024).toFixed(0)} KB`.padStart(7);
    const time = `${median(milliseconds).toFixed(1)} ms`.padStart(8);
    const sizeRatio = (bytes / base.bytes).toFixed(2);
    const timeRatio = (median(milliseconds) / median(base.milliseconds)).toFixed(2);
    console.log(`${name.padEnd(18)} ${size} (x${sizeRatio})  ${time} (x${timeRatio})`);
  }
} finally {
  await Deno.remove(dir, { recursive: true });
}
