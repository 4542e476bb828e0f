/**
 * Notices the end of the program that started this one. A signal to `npx` alone ends `npx` and the shell below it, but is not
 * passed on to Deno.
 *
 * @module
 */

/** Milliseconds between two looks at the processes. */
const PAUSE_MS = 300;

/** How far up to look. `npx` is three processes above: Deno's task runner, a shell, npx. */
const LEVELS = 6;

/** The command line of Deno's task runner. */
const TASK_RUNNER = /\bdeno(\.exe)? task\b/;

/** The command lines of npx and its relatives. */
const NPX = /^(npm|npx|pnpm|yarn|bunx?)\b|\/(npm|npx|pnpm|yarn)(-cli)?(\.c?js)?(\s|$)/;

/** A process, and its parent at the time of the start. */
interface Link {
  pid: number;
  parent: number;
}

/**
 * Waits until a program has ended that started this process and waits for it: `npx`, `npm run` or `deno task`. A shell or a
 * service manager may end; this process then runs on.
 *
 * @returns Resolves when it has ended, never if there is none. Waiting does not keep the process alive.
 */
export function launcherEnds(): Promise<void> {
  const links = linksToLauncher();
  return new Promise((resolve) => {
    if (links.length === 0) return;
    const timer = setInterval(() => {
      // The parent of an orphan is another process. A launcher that nobody waits for would still be listed.
      if (links.every(({ pid, parent }) => parentOf(pid) === parent)) return;
      clearInterval(timer);
      resolve();
    }, PAUSE_MS);
    Deno.unrefTimer(timer);
  });
}

/** The processes from this one up to below npx, or else up to below Deno's task runner. */
function linksToLauncher(): Link[] {
  const links: Link[] = [];
  let found = 0;
  for (let pid = Deno.pid; links.length < LEVELS;) {
    const parent = parentOf(pid);
    if (!parent) break;
    links.push({ pid, parent });
    const command = commandOf(parent);
    if (TASK_RUNNER.test(command) || NPX.test(command)) found = links.length;
    // What has started npx may end before it.
    if (NPX.test(command)) break;
    pid = parent;
  }
  return links.slice(0, found);
}

function parentOf(pid: number): number | undefined {
  if (Deno.build.os !== "linux") return Number(ps("ppid=", pid)) || undefined;
  try {
    // The name of the program stands in parentheses, and may contain any character.
    const stat = Deno.readTextFileSync(`/proc/${pid}/stat`);
    return Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) || undefined;
  } catch {
    return undefined;
  }
}

function commandOf(pid: number): string {
  if (Deno.build.os !== "linux") return ps("command=", pid);
  try {
    return Deno.readTextFileSync(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim();
  } catch {
    return "";
  }
}

function ps(column: string, pid: number): string {
  try {
    const { stdout } = new Deno.Command("ps", { args: ["-o", column, "-p", `${pid}`] })
      .outputSync();
    return new TextDecoder().decode(stdout).trim();
  } catch {
    return "";
  }
}
