/**
 * PostgreSQL with the extensions that npm has not (pg_cron, plpgsql_check), from the packages of Debian, and what else a
 * hosted project has for schedules: pg_net and the Vault, played by tables that keep what they are told.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { applyPlatformText, platformSql } from "./platform.ts";
import { freePort } from "./ports.ts";
import { connect, type DatabaseAccess } from "./postgres.ts";
import { reachableDir, userIds } from "./postgres_binaries.ts";

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
 * Makes sure that the packages are there; as root, installs them.
 *
 * @returns Why they are not to be had on this machine, when they are not.
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
    return `It needs Debian 12's packages ${packages}`;
  }
  if (Deno.uid() !== 0) return `As root: apt-get install ${packages}`;
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
 * Starts such a PostgreSQL in a folder of its own, makes it a platform database, and removes it afterwards.
 *
 * @param work Gets what it takes to connect.
 */
export async function withDebianPostgres<T>(
  work: (access: DatabaseAccess) => Promise<T>,
): Promise<T> {
  const root = await Deno.makeTempDir({ prefix: "strongroom-debian-" });
  await Deno.chmod(root, 0o755);
  const user = Deno.uid() === 0 ? await userIds("nobody") : {};
  const access = { port: freePort(), password: crypto.randomUUID() };
  try {
    const bin = await copyPrograms(root);
    const data = `${await reachableDir(`${root}/cluster`, user)}/data`;
    await Deno.writeTextFile(`${root}/password`, access.password);
    await mustRun(`${bin}/initdb`, [
      `--pgdata=${data}`,
      "--username=supabase_admin",
      "--auth=scram-sha-256",
      `--pwfile=${root}/password`,
      "--encoding=UTF8",
      "--locale=C",
      "--no-sync",
    ], user);
    const server = new Deno.Command(`${bin}/postgres`, {
      args: ["-D", data, ...serverSettings(access.port)],
      ...user,
      cwd: "/",
      env: { LC_ALL: "C" },
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      await prepare(access);
      return await work(access);
    } finally {
      server.kill("SIGINT");
      await server.status;
    }
  } finally {
    await Deno.remove(root, { recursive: true });
  }
}

/** PostgreSQL finds its files from where its program is: what is copied can be given extensions of its own. */
async function copyPrograms(root: string): Promise<string> {
  await Deno.mkdir(`${root}${BIN}`, { recursive: true });
  for (const program of ["initdb", "postgres"]) {
    await Deno.copyFile(`${BIN}/${program}`, `${root}${BIN}/${program}`);
  }
  await Deno.symlink(LIB, `${root}${LIB}`);
  await Deno.mkdir(`${root}/usr/share/postgresql`, { recursive: true });
  await mustRun("cp", ["-as", SHARE, `${root}${SHARE}`]);
  const extension = `${root}${SHARE}/extension/pg_net`;
  await Deno.writeTextFile(
    `${extension}.control`,
    "default_version = '0'\ntrusted = true\nsuperuser = true\n",
  );
  await Deno.copyFile(new URL("played_pg_net.sql", import.meta.url), `${extension}--0.sql`);
  return `${root}${BIN}`;
}

function serverSettings(port: number): string[] {
  return Object.entries({
    listen_addresses: "127.0.0.1",
    port,
    unix_socket_directories: "",
    wal_level: "logical",
    fsync: "off",
    shared_preload_libraries: "pg_cron",
    "cron.database_name": "postgres",
    // Without a connection of its own, which would need a password.
    "cron.use_background_workers": "on",
    max_worker_processes: 40,
  }).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
}

async function prepare(access: DatabaseAccess): Promise<void> {
  const sql = connect(access, "supabase_admin", { connect_timeout: 30 });
  try {
    const deadline = Date.now() + 30_000;
    while (!await sql`select 1`.then(() => true, () => false)) {
      if (Date.now() > deadline) {
        throw new StackFailure(`PostgreSQL ${VERSION} did not start`, "Look at its packages.");
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    // Of a grant this version can say less.
    const text = (await platformSql()).replaceAll(
      / with inherit (true|false), set (true|false)/g,
      "",
    );
    await applyPlatformText(sql, text, access.password);
    const played = await Deno.readTextFile(new URL("played_platform.sql", import.meta.url));
    await sql.unsafe(played).simple();
  } finally {
    await sql.end();
  }
}

type User = { uid?: number; gid?: number };

async function run(program: string, args: string[], user: User = {}) {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args,
    ...user,
    cwd: "/",
    env: { LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { success, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function mustRun(program: string, args: string[], user: User = {}): Promise<void> {
  const { success, output } = await run(program, args, user);
  if (!success) throw new StackFailure(`${program} failed: ${output.trim()}`, "See above.");
}
