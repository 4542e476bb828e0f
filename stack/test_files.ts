/**
 * Which tests there are, told from the files alone: before anything is started.
 *
 * @module
 */

import { PROJECT_DIR } from "./options.ts";

/** A file of tests. */
export interface TestFile {
  /** From the project's folder: `supabase/functions/credits/balance_test.ts`. */
  path: string;
  kind: "deno" | "pgtap";
  /** Names of its tests; of pgTAP none, which is run by the file. */
  names: string[];
}

/** A file, and which of its tests are to run. */
export interface Selection extends TestFile {
  /** What the names contain of the tests that are to run; all run when it is empty. */
  filter: string;
}

/** Folders with tests; within one, those that take longest first, so that no lane begins one when the others end. */
const FOLDERS = ["supabase/tests", "stack", "supabase/functions", "client"];

/** Made first, whatever is run: the functions that every pgTAP file uses. */
export const PGTAP_HELPERS = "supabase/tests/000_helpers.sql";

/** All files of tests, those of a folder in alphabetical order. */
export function listTests(): TestFile[] {
  return FOLDERS.flatMap((folder) => [...walk(folder)].sort()).flatMap((path): TestFile[] => {
    if (path.endsWith("_test.ts")) return [{ path, kind: "deno", names: namesIn(path) }];
    const pgtap = path.startsWith("supabase/tests/") && path.endsWith(".sql");
    return pgtap && path !== PGTAP_HELPERS ? [{ path, kind: "pgtap", names: [] }] : [];
  });
}

/**
 * Those of the files whose path contains a text, and the tests of others whose name does.
 *
 * @param files The files.
 * @param text The text; empty for all.
 */
export function select(files: TestFile[], text: string): Selection[] {
  return files.flatMap((file) => {
    if (file.path.includes(text)) return [{ ...file, filter: "" }];
    const names = file.names.filter((name) => name.includes(text));
    return names.length > 0 ? [{ ...file, names, filter: text }] : [];
  });
}

function* walk(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(`${PROJECT_DIR}/${folder}`)) {
    if (isDirectory && name !== "node_modules") yield* walk(`${folder}/${name}`);
    else if (!isDirectory) yield `${folder}/${name}`;
  }
}

/** A registration with a name that is written out: only such a test can be found by its name. */
const REGISTRATION = /(?<![.\w])(?:Deno\.)?test\(\s*("(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/g;

function namesIn(path: string): string[] {
  const text = Deno.readTextFileSync(`${PROJECT_DIR}/${path}`);
  return [...text.matchAll(REGISTRATION)].map(([, literal = ""]) =>
    literal.slice(1, -1).replaceAll(/\\(.)/g, "$1")
  );
}
