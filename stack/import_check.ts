/**
 * Makes sure that what is deployed stands alone: nothing in `supabase/` imports from the rest of the project.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

import { PROJECT_DIR } from "./options.ts";

/** Where a module imports or exports from, also when it does so later (`import(...)`) or only for types. */
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;

/**
 * The imports in a folder that lead out of it.
 *
 * @param folder The folder, ending in a slash.
 * @returns File and import of each, as they are to be shown.
 */
export async function findImportsOutOf(folder: URL): Promise<string[]> {
  const found: string[] = [];
  for await (const file of sourcesIn(folder)) {
    const source = await Deno.readTextFile(file);
    for (const [, specifier = ""] of source.matchAll(SPECIFIER)) {
      if (!/^(\.|\/|file:)/.test(specifier)) continue;
      if (!new URL(specifier, file).href.startsWith(folder.href)) {
        found.push(`${file.href.slice(folder.href.length)} imports ${specifier}`);
      }
    }
  }
  return found.sort();
}

/** What is wrong with the imports of `supabase/` and what to do; undefined when nothing is. */
export async function checkImports(): Promise<string | undefined> {
  const found = await findImportsOutOf(pathToFileURL(`${PROJECT_DIR}/supabase/`));
  if (found.length === 0) return undefined;
  return `${found.join("\n")}\n` +
    "supabase/ is deployed without the rest of the project: move what it needs into it, " +
    "or reach it by a command or the environment.";
}

async function* sourcesIn(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sourcesIn(new URL(`${encodeURIComponent(name)}/`, folder));
    else if (/\.(ts|tsx|js|mjs)$/.test(name)) yield new URL(encodeURIComponent(name), folder);
  }
}
