/**
 * Checks that nothing in `supabase/`, which is deployed alone, imports from the rest of the project.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

import { PROJECT_DIR } from "./options.ts";

/** Matches the specifier of an import or export, including `import(...)` and imports of types. */
const SPECIFIER = /(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']/g;

/**
 * Finds the imports in a folder that lead out of it.
 *
 * @param folder The folder, ending in a slash.
 * @returns The file and specifier of each, as text.
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

/** Returns what is wrong with the imports of `supabase/` and what to do; undefined if nothing is wrong. */
export async function checkImports(): Promise<string | undefined> {
  const found = await findImportsOutOf(pathToFileURL(`${PROJECT_DIR}/supabase/`));
  if (found.length === 0) return undefined;
  return `${found.join("\n")}\n` +
    "supabase/ is deployed without the rest of the project: move what it needs into it, " +
    "or use a command or the environment instead.";
}

async function* sourcesIn(folder: URL): AsyncGenerator<URL> {
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) yield* sourcesIn(new URL(`${encodeURIComponent(name)}/`, folder));
    else if (/\.(ts|tsx|js|mjs)$/.test(name)) yield new URL(encodeURIComponent(name), folder);
  }
}
