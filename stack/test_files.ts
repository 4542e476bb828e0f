/**
 * Finds the tests by reading their files, before anything is started.
 *
 * @module
 */

import { existsSync } from "node:fs";

import { PROJECT_DIR } from "./options.ts";

/** A test file. */
export interface TestFile {
  /** Relative to the project's folder: `supabase/functions/credits/balance_test.ts`. */
  path: string;
  kind: "deno" | "pgtap";
  /** Names of its tests. Empty for pgTAP, which runs by the file. */
  names: string[];
}

/** A test file, and which of its tests to run. */
export interface Selection extends TestFile {
  /** Text in the names of the tests to run. Empty for all tests. */
  filter: string;
}

/** Folders with tests. Those with the longest tests come first, so that no lane starts one when the others end. */
const FOLDERS = ["supabase/tests", "import", "stack", "supabase/functions", "client"];

/** The functions that every pgTAP file uses. It runs first, whatever is selected. */
export const PGTAP_HELPERS = "supabase/tests/000_helpers.sql";

/** Lists all test files, in alphabetical order within a folder. */
export function listTests(): TestFile[] {
  return FOLDERS.flatMap((folder) => [...walk(folder)].sort()).flatMap((path): TestFile[] => {
    if (path.endsWith("_test.ts")) return [{ path, kind: "deno", names: namesIn(path) }];
    const pgtap = path.startsWith("supabase/tests/") && path.endsWith(".sql");
    return pgtap && path !== PGTAP_HELPERS ? [{ path, kind: "pgtap", names: [] }] : [];
  });
}

/**
 * Selects the files whose path contains a text, and the tests whose name contains it.
 *
 * @param files The files.
 * @param text The text. Empty for all.
 */
export function select(files: TestFile[], text: string): Selection[] {
  return files.flatMap((file) => {
    if (file.path.includes(text)) return [{ ...file, filter: "" }];
    const names = file.names.filter((name) => name.includes(text));
    return names.length > 0 ? [{ ...file, names, filter: text }] : [];
  });
}

function* walk(folder: string): Generator<string> {
  // A domain that was taken out has left no folder.
  if (!existsSync(`${PROJECT_DIR}/${folder}`)) return;
  for (const { name, isDirectory } of Deno.readDirSync(`${PROJECT_DIR}/${folder}`)) {
    if (isDirectory && name !== "node_modules") yield* walk(`${folder}/${name}`);
    else if (!isDirectory) yield `${folder}/${name}`;
  }
}

/** Registers a test with a literal name. Other tests cannot be found by name. */
const REGISTRATION = /(?<![.\w])(?:Deno\.)?test\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/g;

function namesIn(path: string): string[] {
  const text = Deno.readTextFileSync(`${PROJECT_DIR}/${path}`);
  return [...text.matchAll(REGISTRATION)].map(([, literal = ""]) =>
    literal.slice(1, -1).replaceAll(/\\(.)/g, "$1")
  );
}
