/**
 * PostgreSQL from the packages of Debian, with the extensions that npm does not have (pg_cron, plpgsql_check), and
 * stand-ins for what else a hosted project needs for schedules: pg_net and the Vault, as tables that record their
 * calls.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { applyPlatformText, platformSql } from "./platform.ts";
import { freePort } from "./ports.ts";
import { connect, type DatabaseAccess, startPostgres } from "./postgres.ts";
import { type PostgresBinaries, unprivilegedUser } from "./postgres_binaries.ts";

const VERSION = "15";

const PACKAGES = [
  `postgresql-${VERSION}`,
  `postgresql-${VERSION}-cron`,
  `postgresql-${VERSION}-pgtap`,
  `postgresql-${VERSION}-plpgsql-check`,
];

const BIN = `/usr/lib/postgresql/${VERSION}/bin`;
const LIB = `/usr/lib/postgresql/${VERSION}/lib`;
const SHARE = `/usr/share/postgresql/${VERSION}`;

/**
 * Makes sure that the packages are installed. Installs them if run as root.
 *
 * @returns Why they are not available; undefined if they are.
 */
export async function installPackages(): Promise<string | undefined> {
  const present = await Promise.all(
    ["pg_cron", "pgtap", "plpgsql_check"].map((name) =>
      Deno.stat(`${SHARE}/extension/${name}.control`).then(() => true, () => false)
    ),
  );
  if (present.every(Boolean)) return undefined;
  const packages = PACKAGES.join(" ");
  if (!await run("apt-get", ["--version"]).then(({ success }) => success, () => false)) {
    return `needs the Debian 12 packages ${packages}`;
  }
  if (Deno.uid() !== 0) return `run as root: apt-get install ${packages}`;
  await run("apt-get", ["update"]);
  const { success, output } = await run("apt-get", [
    "install",
    "--yes",
    "--no-install-recommends",
    ...PACKAGES,
  ]);
  return success ? undefined : `apt-get install ${packages} failed:\n${output}`;
}

/**
 * Starts such a PostgreSQL as a platform database in a temporary folder, and removes it afterwards.
 *
 * @param work Uses the database. Receives what it needs to connect.
 */
export async function withDebianPostgres<T>(
  work: (access: DatabaseAccess) => Promise<T>,
): Promise<T> {
  const dir = await Deno.makeTempDir({ prefix: "strongroom-debian-" });
  // PostgreSQL's user needs access to the programs and data below.
  await Deno.chmod(dir, 0o755);
  const access = { port: freePort(), password: crypto.randomUUID() };
  try {
    const binaries = await copyPrograms(dir);
    const server = await startPostgres({
      ...access,
      dir,
      durable: false,
      binaries,
      settings: SETTINGS,
    });
    try {
      await prepare(access);
      return await work(access);
    } finally {
      await server.stop();
    }
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Copies the programs. PostgreSQL finds its files relative to them, so a copy can have its own extensions. */
async function copyPrograms(root: string): Promise<PostgresBinaries> {
  const bin = `${root}${BIN}`;
  await Deno.mkdir(bin, { recursive: true });
  for (const program of ["initdb", "postgres", "pg_ctl"]) {
    await Deno.copyFile(`${BIN}/${program}`, `${bin}/${program}`);
  }
  await Deno.symlink(LIB, `${root}${LIB}`);
  await Deno.mkdir(`${root}/usr/share/postgresql`, { recursive: true });
  const { success, output } = await run("cp", ["-as", SHARE, `${root}${SHARE}`]);
  if (!success) {
    throw new StackFailure(
      `Cannot copy ${SHARE}: ${output}`,
      "Free space in /tmp, then try again.",
    );
  }

  const extensionDir = `${root}${SHARE}/extension`;
  await Deno.writeTextFile(
    `${extensionDir}/pg_net.control`,
    "default_version = '0'\ntrusted = true\nsuperuser = true\n",
  );
  const script = new URL("played_pg_net.sql", import.meta.url);
  await Deno.copyFile(script, `${extensionDir}/pg_net--0.sql`);
  return {
    version: VERSION,
    initdb: `${bin}/initdb`,
    postgres: `${bin}/postgres`,
    pgCtl: `${bin}/pg_ctl`,
    extensionDir,
    user: await unprivilegedUser(),
  };
}

const SETTINGS = {
  shared_preload_libraries: "pg_cron",
  "cron.database_name": "postgres",
  // Background workers need no password, unlike connections.
  "cron.use_background_workers": "on",
  // One worker for each schedule that is due in the same minute.
  max_worker_processes: "40",
};

async function prepare(access: DatabaseAccess): Promise<void> {
  const sql = connect(access, "supabase_admin");
  try {
    // This version does not know these options of a grant.
    const inherit = / with inherit (true|false), set (true|false)/g;
    await applyPlatformText(sql, (await platformSql()).replaceAll(inherit, ""), access.password);
    const played = await Deno.readTextFile(new URL("played_platform.sql", import.meta.url));
    await sql.unsafe(played).simple();
  } finally {
    await sql.end();
  }
}

async function run(program: string, args: string[]) {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}
