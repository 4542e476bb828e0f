/**
 * Runs a file of Deno tests in a separate process.
 *
 * @module
 */

import { TOLD } from "../supabase/functions/_testing/tell.ts";
import { stopHolder } from "./lock.ts";
import { PROJECT_DIR } from "./options.ts";
import type { Selection } from "./test_files.ts";
import type { Outcome } from "./test_outcome.ts";

/** Where a test file runs. */
export interface Place {
  /** The folder of the lane. */
  dir: string;
  /** The folder for temporary folders of the tests. */
  temporary: string;
  /** The environment that describes the stack. */
  environment: Record<string, string>;
  /** Ends the tests. */
  signal: AbortSignal;
}

/**
 * Runs tests of a file, and stops all stacks that they started and left running.
 *
 * @param file The file, and which of its tests.
 * @param place Where to run it.
 */
export async function runDenoFile(file: Selection, place: Place): Promise<Outcome> {
  const report = `${place.dir}/report.xml`;
  await Deno.remove(report).catch(() => {});
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--allow-all",
      "--quiet",
      // `deno task check` does that once for all files.
      "--no-check",
      "--trace-leaks",
      `--junit-path=${report}`,
      ...(file.filter ? [`--filter=${file.filter}`] : []),
      file.path,
    ],
    cwd: PROJECT_DIR,
    env: { ...place.environment, NO_COLOR: "1", TMPDIR: place.temporary },
    // A process group, which includes the stacks that tests start: all of it can be ended at once.
    detached: true,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const end = () => endGroup(child.pid);
  place.signal.addEventListener("abort", end);
  const { code, stdout, stderr } = await child.output();
  place.signal.removeEventListener("abort", end);
  end();
  await stopStacks(place.temporary);

  const decoder = new TextDecoder();
  const output = `${decoder.decode(stdout)}${decoder.decode(stderr)}`;
  const outcome = toOutcome(file, await Deno.readTextFile(report).catch(() => ""), code, output);
  const told = `${place.dir}/${TOLD}`;
  outcome.told = await Deno.readTextFile(told).catch(() => "");
  if (outcome.told) await Deno.remove(told);
  return outcome;
}

function endGroup(pid: number): void {
  try {
    Deno.kill(-pid, "SIGTERM");
  } catch { /* it has ended */ }
}

/** Stops the stacks of checkouts in a folder, and waits for them: a stack stops in several steps. */
async function stopStacks(dir: string): Promise<void> {
  for (const { name } of Deno.readDirSync(dir)) await stopHolder(`${dir}/${name}/stack`);
}

function toOutcome(file: Selection, xml: string, code: number, output: string): Outcome {
  const cases = xml.split("<testcase ").slice(1).map((text) => ({
    name: unescape(text.match(/^name="([^"]*)"/)?.[1] ?? ""),
    skipped: text.includes("<skipped"),
    failed: /<failure|<error/.test(text),
  }));
  const ran = cases.filter(({ skipped }) => !skipped);
  const failed = ran.filter((test) => test.failed).length;
  const count = (failed: number, more: string): Outcome => ({
    path: file.path,
    passed: ran.length - ran.filter((test) => test.failed).length,
    failed,
    // With a filter, Deno reports the tests that it leaves out as skipped too.
    skipped: file.filter ? 0 : cases.length - ran.length,
    output: `${output}\n${more}`,
  });
  // A file that does not load has no report.
  if (code !== 0 && failed === 0) return count(1, "");
  const unknown = cases.filter(({ name }) => !file.filter && !file.names.includes(name));
  const missing = file.names.filter((name) => !cases.some((test) => test.name === name));
  if (failed === 0 && unknown.length + missing.length > 0) {
    return count(
      1,
      `These names of tests are not string literals in their call of test(): ${
        [...unknown.map(({ name }) => name), ...missing].join(", ")
      }`,
    );
  }
  return count(failed, "");
}

function unescape(text: string): string {
  const entities: Record<string, string> = { lt: "<", gt: ">", quot: '"', apos: "'", amp: "&" };
  return text.replaceAll(/&(\w+);/g, (entity, name) => entities[name] ?? entity);
}
