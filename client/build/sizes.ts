/**
 * Measures what the entry points of the package weigh in an app.
 *
 * @module
 */

import { build, stop } from "esbuild";
import { gzipSync } from "node:zlib";

import { CLIENT_DIR, ENTRIES, PACKAGE_DIR } from "./bundle.ts";

/** The largest sizes in KB (1000 bytes), minified and compressed with gzip. */
const MOST_KB: Record<string, number> = { chats: 20, devices: 11 };
const MOST_KB_OF_OTHERS = 10;

/** The page whose table says the sizes. */
const PAGE = `${CLIENT_DIR}README.md`;

/**
 * Compares the sizes with their limits, and with the table in the package's README.
 *
 * @returns what is wrong
 */
export async function checkSizes(): Promise<string[]> {
  const page = await Deno.readTextFile(PAGE);
  const faults: string[] = [];
  for (const [entry, bytes] of await sizes()) {
    const most = MOST_KB[entry] ?? MOST_KB_OF_OTHERS;
    if (bytes > 1000 * most) {
      faults.push(`${entry} has ${bytes} bytes, more than ${most} KB`);
    }
    const row = `| \`${specifier(entry)}\``;
    const size = bytes === 0 ? "only types" : `${Math.ceil(bytes / 1000)} KB`;
    const line = page.split("\n").find((line) => line.startsWith(row));
    if (!line?.replace(/\s+/g, " ").endsWith(`| ${size} |`)) {
      faults.push(
        `client/README.md must have a line that begins with ${row}, and ends with ${size}`,
      );
    }
  }
  return faults;
}

/** Returns the name under which an app imports an entry point. */
export function specifier(entry: string): string {
  return entry === "index" ? "@strongroom/client" : `@strongroom/client/${entry}`;
}

/** Measures each entry point with everything that it loads at once, which is all but the chunks that it loads on demand. */
async function sizes(): Promise<Map<string, number>> {
  const found = new Map<string, number>();
  try {
    for (const entry of Object.keys(ENTRIES)) {
      const { outputFiles, metafile } = await build({
        entryPoints: [`${PACKAGE_DIR}/${entry}.js`],
        outdir: "/out",
        absWorkingDir: "/",
        bundle: true,
        splitting: true,
        minify: true,
        format: "esm",
        external: ["@supabase/supabase-js"],
        metafile: true,
        write: false,
        // It would warn that chunks without effects are left out, which is what an app does, too.
        logLevel: "error",
      });
      const name = Object.keys(metafile.outputs).find((path) =>
        metafile.outputs[path]?.entryPoint
      )!;
      const loaded = new Set([name]);
      for (const path of loaded) {
        const { imports } = metafile.outputs[path]!;
        for (const { path, kind } of imports) {
          if (kind === "import-statement" && path in metafile.outputs) {
            loaded.add(path);
          }
        }
      }
      const files = outputFiles.filter((file) => loaded.has(file.path.slice(1)));
      const bytes = files.reduce(
        (sum, { contents }) =>
          contents.length === 0 ? sum : sum + gzipSync(contents, { level: 9 }).length,
        0,
      );
      found.set(entry, bytes);
    }
  } finally {
    await stop();
  }
  return found;
}
