/**
 * Installs, builds and serves `examples/chat`, which has the package of the client as an app has it.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { PROJECT_DIR } from "./options.ts";

/** Folder of the example. */
export const EXAMPLE_DIR = `${PROJECT_DIR}/examples/chat`;

/** The variables with which the example finds a stack. */
export function exampleEnvironment(url: string, publishableKey: string): Record<string, string> {
  return { VITE_SUPABASE_URL: url, VITE_SUPABASE_PUBLISHABLE_KEY: publishableKey };
}

/**
 * Builds the package of the client, and installs it and what else the example needs.
 *
 * @throws {StackFailure} if that fails.
 */
export async function installExample(): Promise<void> {
  await runOrFail(Deno.execPath(), ["task", "--quiet", "package"], PROJECT_DIR);
  // npm does not notice that the package has changed, because its version has not.
  await Deno.remove(`${EXAMPLE_DIR}/node_modules/@strongroom`, { recursive: true }).catch(() => {});
  await runOrFail("npm", ["install", "--no-save", "--loglevel=error"], EXAMPLE_DIR);
}

/**
 * Checks the types of the example, and builds it.
 *
 * @param environment The stack that it uses.
 * @param outDir Where the pages go.
 */
export async function buildExample(
  environment: Record<string, string>,
  outDir: string,
): Promise<void> {
  await runOrFail("npx", ["--no-install", "tsc"], EXAMPLE_DIR);
  const args = ["--no-install", "vite", "build", "--outDir", outDir, "--emptyOutDir"];
  await runOrFail("npx", args, EXAMPLE_DIR, environment);
}

async function runOrFail(
  program: string,
  args: string[],
  cwd: string,
  env: Record<string, string> = {},
): Promise<void> {
  const { code, stdout, stderr } = await new Deno.Command(program, {
    args,
    cwd,
    env,
    stdin: "null",
  })
    .output();
  if (code === 0) return;
  const decoder = new TextDecoder();
  throw new StackFailure(
    `${program} ${args.join(" ")} failed:\n${decoder.decode(stdout)}${decoder.decode(stderr)}`,
    "Fix the problem above, then try again.",
  );
}
