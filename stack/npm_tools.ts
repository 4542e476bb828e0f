/**
 * Programs from npm that run with `npx`. Their versions are pinned here.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { PROJECT_DIR } from "./options.ts";

/** The official CLI. */
const SUPABASE_CLI = "supabase@3.1.0";

/** The Deno version that matches Supabase Edge Runtime: V8 13.0. */
const PLATFORM_DENO = "deno@2.1.4";

/** The output of a program. */
export interface Answer {
  code: number;
  stdout: string;
  /** Everything that it printed, for people. */
  output: string;
}

/**
 * Runs the Supabase CLI in the project.
 *
 * @param args Its arguments.
 */
export async function supabaseCli(...args: string[]): Promise<Answer> {
  return await npx([SUPABASE_CLI, ...args], PROJECT_DIR);
}

/** Path of the Deno that matches the platform's runtime. */
export async function platformDeno(): Promise<string> {
  // Runs outside the project, because that Deno cannot read its lockfile.
  const { code, stdout, output } = await npx(
    [PLATFORM_DENO, "eval", "console.log(Deno.execPath())"],
    "/",
  );
  if (code !== 0) {
    throw new StackFailure(
      `npx cannot run ${PLATFORM_DENO}: ${output.trim()}`,
      "Check that npm can reach its registry, then try again.",
    );
  }
  return stdout.trim();
}

const NPM_CURE = "Install Node.js with npm from https://nodejs.org.";

async function npx(args: string[], cwd: string): Promise<Answer> {
  try {
    const { code, stdout, stderr } = await new Deno.Command("npx", {
      args: ["--yes", ...args],
      cwd,
      env: {
        DO_NOT_TRACK: "1",
        SUPABASE_TELEMETRY_DISABLED: "1",
        NO_COLOR: "1",
        // The stack's PostgreSQL has no certificate. Without this, the CLI would print a warning into its output.
        PGSSLMODE: "disable",
      },
      stdin: "null",
    }).output();
    const decoder = new TextDecoder();
    const out = decoder.decode(stdout);
    return { code, stdout: out, output: out + decoder.decode(stderr) };
  } catch (cause) {
    throw new StackFailure(`Cannot run npx: ${cause}`, NPM_CURE, { cause });
  }
}
