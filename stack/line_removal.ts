/**
 * Removes from the files of other domains the lines that use what is gone.
 *
 * @module
 */

import { posix } from "node:path";

/**
 * Removes the statements of one line that call a function that is gone: `perform f(...);` and `variable := ... f(...);`.
 * A call within a longer statement stays, and the migrations or their tests fail on it.
 *
 * @param text Text of a migration.
 * @param functions Names of the functions.
 */
export function removeCalls(text: string, functions: string[]): string {
  if (functions.length === 0) return text;
  const statement = /^\s*(perform|\w+(\.\w+)? :=) .*;$/;
  const call = new RegExp(`\\b(public|private)\\.(${functions.join("|")})\\(`);
  const kept = text.split("\n").filter((line) => !(statement.test(line) && call.test(line)));
  return kept.join("\n");
}

/**
 * Removes the imports of modules that are gone, and the lines that use what these imported: a statement, or a member of an
 * object or a list. A use within a longer statement stays, and the module does not compile.
 *
 * @param text Text of a module.
 * @param path Path of the module.
 * @param exists Whether there is a module with a path.
 */
export function removeUses(text: string, path: string, exists: (path: string) => boolean): string {
  const names: string[] = [];
  const kept = text.replace(
    /^import (?:type )?\{([^}]*)\} from "(\.[^"]+)";\n/gm,
    (statement, members: string, from: string) => {
      if (exists(posix.join(posix.dirname(path), from))) return statement;
      names.push(...members.split(",").flatMap((member) => member.match(/(\w+)\s*$/)?.[1] ?? []));
      return "";
    },
  );
  if (names.length === 0) return kept;
  const use = new RegExp(`\\b(${names.join("|")})\\b`);
  return kept.split("\n").filter((line) => !(use.test(line) && /[;,]$/.test(line))).join("\n");
}
