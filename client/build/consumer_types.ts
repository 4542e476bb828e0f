/**
 * Compiles the type tests against the built package, as an app has it, with the strictest options.
 *
 * @module
 */

import ts from "typescript";

import { CLIENT_DIR, ENTRIES, PACKAGE_DIR } from "./bundle.ts";
import { specifier } from "./sizes.ts";

const TESTS = `${CLIENT_DIR}tests/types/calls.ts`;

/** Returns what does not compile as the type tests say. */
export async function checkConsumerTypes(): Promise<string[]> {
  const file = `${CLIENT_DIR}dist/calls.ts`;
  await Deno.writeTextFile(file, asConsumer(await Deno.readTextFile(TESTS)));
  const packages = Object.keys(ENTRIES).map((entry) =>
    [specifier(entry), [`${PACKAGE_DIR}/${entry}.d.ts`]] as [string, string[]]
  );
  const program = ts.createProgram([file], {
    strict: true,
    exactOptionalPropertyTypes: true,
    noUncheckedIndexedAccess: true,
    noEmit: true,
    // Also the declarations of the package itself.
    skipLibCheck: false,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    types: [],
    paths: Object.fromEntries(packages),
  });
  // supabase-js has declarations that need others: those are its own affair.
  const diagnostics = ts.getPreEmitDiagnostics(program)
    .filter((diagnostic) => !diagnostic.file?.fileName.includes("node_modules"));
  return diagnostics.map((diagnostic) =>
    ts.formatDiagnostic(diagnostic, {
      getCanonicalFileName: (name) => name,
      getCurrentDirectory: () => CLIENT_DIR,
      getNewLine: () => "\n",
    }).trim()
  );
}

/** Replaces the paths of the sources by the names of the entry points. */
function asConsumer(source: string): string {
  return source.replace(/"\.\.\/\.\.\/([^"]+)"/g, (_, path) => {
    const entry = Object.keys(ENTRIES).find((name) => ENTRIES[name] === `${CLIENT_DIR}${path}`);
    if (!entry) throw new Error(`${path} is not an entry point of the package`);
    return `"${specifier(entry)}"`;
  });
}
