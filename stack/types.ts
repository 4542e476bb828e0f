/**
 * `deno task types`: generates the TypeScript types of the database from the migrations.
 *
 * @module
 */

import { taskCommand, unknownArgument } from "./command.ts";
import { StackFailure } from "./failure.ts";
import { applyMigrations } from "./migrations.ts";
import { supabaseCli } from "./npm_tools.ts";
import { PROJECT_DIR } from "./options.ts";
import { connect, type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { noReport, say } from "./progress.ts";
import { withScratchDatabase } from "./scratch_database.ts";

/** Path of the types. */
export const TYPES_FILE = `${PROJECT_DIR}/supabase/functions/_shared/database.types.ts`;

/**
 * Generates the types of a database with `supabase gen types` and formats them with `deno fmt`.
 *
 * @param access What is needed to connect.
 */
export async function generateTypes(access: DatabaseAccess): Promise<string> {
  const url = databaseUrl(access, "postgres");
  const { code, stdout, output } = await supabaseCli(
    "gen",
    "types",
    "typescript",
    `--remote=${url}`,
    "--schema=public",
  );
  if (code !== 0) {
    throw new StackFailure(
      `supabase gen types failed: ${output}`,
      `Find the cause with: ${taskCommand("check database")}`,
    );
  }
  return await format(stdout);
}

async function format(source: string): Promise<string> {
  const file = await Deno.makeTempFile({ suffix: ".ts" });
  await Deno.writeTextFile(file, source);
  await new Deno.Command(Deno.execPath(), {
    args: ["fmt", "--quiet", `--config=${PROJECT_DIR}/deno.json`, file],
  }).output();
  const formatted = await Deno.readTextFile(file);
  await Deno.remove(file);
  return formatted;
}

if (import.meta.main) {
  if (Deno.args.length > 0) {
    const unknown = unknownArgument(Deno.args, () => false);
    const help = `${
      taskCommand("types")
    } writes supabase/functions/_shared/database.types.ts from the migrations.`;
    say(unknown ? `${unknown}. ${help}` : help);
    Deno.exit(unknown ? 2 : 0);
  }
  await withScratchDatabase(async (access) => {
    const sql = connect(access, "postgres");
    await applyMigrations(sql, noReport);
    await sql.end();
    await Deno.writeTextFile(TYPES_FILE, await generateTypes(access));
  });
  say("Wrote supabase/functions/_shared/database.types.ts");
}
