/**
 * An empty platform database for the time of one command: what a hosted project is before its first
 * migration.
 *
 * @module
 */

import { installPgtap } from "./pgtap.ts";
import { applyPlatform } from "./platform.ts";
import { freePort } from "./ports.ts";
import { connect, startPostgres } from "./postgres.ts";

/**
 * Starts PostgreSQL in a folder of its own, makes it a platform database, and removes it afterwards.
 *
 * @param run Gets the port.
 */
export async function withScratchDatabase<T>(run: (port: number) => Promise<T>): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-scratch-" });
  // PostgreSQL's user has to reach its data below.
  await Deno.chmod(dir, 0o755);
  const port = freePort();
  const server = await startPostgres({ dir, port, durable: false });
  try {
    await installPgtap(server.extensionDir);
    const sql = connect(port, "supabase_admin");
    await applyPlatform(sql);
    await sql.end();
    return await run(port);
  } finally {
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
}
