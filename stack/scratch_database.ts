/**
 * An empty platform database for the duration of one command: what a hosted project is before its first
 * migration.
 *
 * @module
 */

import { installPgtap } from "./pgtap.ts";
import { applyPlatform } from "./platform.ts";
import { freePort } from "./ports.ts";
import { connect, type DatabaseAccess, startPostgres } from "./postgres.ts";

/**
 * Starts PostgreSQL as a platform database in a temporary folder, and removes it afterwards.
 *
 * @param run Uses the database. Receives what it needs to connect.
 */
export async function withScratchDatabase<T>(
  run: (access: DatabaseAccess) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-scratch-" });
  // PostgreSQL's user needs access to its data below.
  await Deno.chmod(dir, 0o755);
  const access = { port: freePort(), password: crypto.randomUUID() };
  const server = await startPostgres({ ...access, dir, durable: false });
  try {
    await installPgtap(server.extensionDir);
    const sql = connect(access, "supabase_admin");
    await applyPlatform(sql, access.password);
    await sql.end();
    return await run(access);
  } finally {
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
}
