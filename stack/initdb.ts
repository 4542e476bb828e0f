/**
 * Makes the data folder of a PostgreSQL.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import type { PostgresBinaries } from "./postgres_binaries.ts";

/**
 * Initialises a data folder where there is none.
 *
 * @param binaries Which PostgreSQL.
 * @param data The data folder.
 * @param password That of the superuser.
 * @throws {StackFailure} when the folder is another version's or cannot be made.
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
      `The data folder was made by PostgreSQL ${version.trim()}, this is ${binaries.version}`,
      "Empty it: deno task reset",
    );
  }
  // Under another name until it is whole: an interrupted initdb is done again, not found half made.
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
          : []),
        "--locale=C",
        "--no-sync",
      ],
      ...binaries.user,
      cwd: "/",
    }).output();
    if (!success) {
      throw new StackFailure(
        `initdb failed: ${new TextDecoder().decode(stderr).trim()}`,
        "Check that the folder can be written, or set STACK_DIR to one that can.",
      );
    }
    await Deno.rename(partial, data);
  } finally {
    await Deno.remove(passwordFile).catch(() => {});
  }
}
