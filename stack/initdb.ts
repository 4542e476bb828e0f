/**
 * Creates PostgreSQL's data folder.
 *
 * @module
 */

import { taskCommand } from "./command.ts";
import { StackFailure } from "./failure.ts";
import type { PostgresBinaries } from "./postgres_binaries.ts";

/**
 * Initializes the data folder if it does not exist.
 *
 * @param binaries The PostgreSQL to use.
 * @param data The data folder.
 * @param password Password of the superuser.
 * @throws {StackFailure} if the folder belongs to another version or cannot be created.
 */
export async function initialise(
  binaries: PostgresBinaries,
  data: string,
  password: string,
): Promise<void> {
  const version = await Deno.readTextFile(`${data}/PG_VERSION`).catch(() => undefined);
  if (version !== undefined) {
    if (version.trim() === binaries.version) return;
    throw new StackFailure(
      `The data was created by PostgreSQL ${version.trim()}, but the stack now runs version ${binaries.version}`,
      `Delete the data with: ${taskCommand("reset")}`,
    );
  }
  // Created under another name, so that an interrupted initdb is repeated.
  const partial = `${data}.partial`;
  const passwordFile = `${data}.password`;
  await Deno.remove(partial, { recursive: true }).catch(() => {});
  await Deno.remove(passwordFile).catch(() => {});
  try {
    await Deno.writeTextFile(passwordFile, `${password}\n`, { mode: 0o600, createNew: true });
    if (binaries.user.uid !== undefined) await Deno.chown(passwordFile, binaries.user.uid, null);
    const { success, stderr } = await new Deno.Command(binaries.initdb, {
      args: [
        `--pgdata=${partial}`,
        "--username=supabase_admin",
        "--auth=scram-sha-256",
        `--pwfile=${passwordFile}`,
        "--encoding=UTF8",
        ...(Number(binaries.version) >= 17
          ? ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
          // Knows the case of letters beyond ASCII, as the platform's databases do.
          : ["--lc-ctype=C.UTF-8"]),
        "--locale=C",
        "--no-sync",
      ],
      ...binaries.user,
      cwd: "/",
    }).output();
    if (!success) {
      throw new StackFailure(
        `initdb failed: ${new TextDecoder().decode(stderr).trim()}`,
        "Make the folder writable, or set STACK_DIR to a writable folder.",
      );
    }
    await Deno.rename(partial, data);
  } finally {
    await Deno.remove(passwordFile).catch(() => {});
  }
}
