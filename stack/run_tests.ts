/**
 * `deno task test`: brings up a stack of its own, runs every test on it, and leaves nothing behind.
 *
 * @module
 */

import { connect } from "./postgres.ts";
import { StackFailure } from "./failure.ts";
import { readOptions } from "./options.ts";
import { type Outcome, runPgtap } from "./pgtap_runner.ts";
import { freePort } from "./ports.ts";
import { printReport, say } from "./progress.ts";
import { type Stack, startStack } from "./stack.ts";

const HELP = `Runs the tests on a stack of its own, on free ports, beside any other that runs.

  deno task test             all of them
  deno task test TEXT        those whose file contains TEXT, or whose name does (pgTAP: the file)
  deno task test --sql       pgTAP alone;  --deno  the others alone

Environment
  STACK_DENO=PATH  Deno executable that runs the functions  (default: this one)
`;

/** Where the Deno tests are. */
const TEST_FOLDERS = ["supabase/functions", "supabase/tests", "client", "stack"];

/** The process of the Deno tests, while it runs. */
let running: Deno.ChildProcess | undefined;

async function main(args: string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const [filter = "", ...more] = args.filter((arg) => !arg.startsWith("-"));
  if (flags.some((flag) => !["--sql", "--deno"].includes(flag)) || more.length > 0) {
    say(HELP);
    return flags.includes("--help") || flags.includes("-h") ? 0 : 2;
  }
  const start = performance.now();
  const dir = await Deno.makeTempDir({ prefix: "strongroom-test-" });
  // PostgreSQL's user has to reach its data below.
  await Deno.chmod(dir, 0o755);
  let stack: Stack | undefined;
  const cleanUp = async () => {
    try {
      running?.kill("SIGKILL");
    } catch { /* it has ended */ }
    await stack?.stop();
    await Deno.remove(dir, { recursive: true }).catch(() => {});
  };
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    Deno.addSignalListener(signal, () => cleanUp().finally(() => Deno.exit(130)));
  }
  try {
    stack = await startTestStack(dir);
    const outcomes: Outcome[] = [];
    if (!flags.includes("--deno")) outcomes.push(await runSqlTests(stack, filter));
    if (!flags.includes("--sql")) outcomes.push(await runDenoTests(stack, dir, filter));

    const passed = outcomes.reduce((sum, outcome) => sum + outcome.passed, 0);
    const failed = outcomes.reduce((sum, outcome) => sum + outcome.failed, 0);
    const skipped = outcomes.reduce((sum, outcome) => sum + outcome.skipped, 0);
    if (passed + failed === 0) say(`\nNo test has "${filter}" in its file or name`);
    say(`\nIn ${((performance.now() - start) / 1000).toFixed(0)} s:`);
    if (skipped > 0) say(`${skipped} skipped, which need what is not to be had here`);
    say(`${passed} passed, ${failed} failed`);
    return failed > 0 || passed === 0 ? 1 : 0;
  } finally {
    await cleanUp();
  }
}

async function startTestStack(dir: string): Promise<Stack> {
  const log = await Deno.open(`${dir}/functions.log`, { create: true, append: true, mode: 0o600 });
  const encoder = new TextEncoder();
  return await startStack(
    { ...await readOptions(), dir, apiPort: freePort(), dbPort: freePort() },
    {
      report: printReport,
      log: (line) => log.writeSync(encoder.encode(`${line}\n`)),
      watch: false,
      durable: false,
      schedule: false,
    },
  );
}

async function runSqlTests(stack: Stack, filter: string): Promise<Outcome> {
  const admin = connect(stack.access, "supabase_admin");
  await admin`create extension if not exists pgtap with schema extensions`;
  await admin.end();
  return await runPgtap(stack.access, filter);
}

async function runDenoTests(stack: Stack, dir: string, filter: string): Promise<Outcome> {
  say("");
  const files = filter && [...testFiles()].some((file) => file.includes(filter))
    ? [...testFiles()].filter((file) => file.includes(filter))
    : [];
  const report = `${dir}/junit.xml`;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "test",
      "--allow-all",
      "--quiet",
      "--trace-leaks",
      `--junit-path=${report}`,
      ...(filter && files.length === 0 ? [`--filter=${filter}`] : []),
      ...(files.length > 0 ? files : TEST_FOLDERS.map((folder) => `${folder}/`)),
    ],
    env: { ...stack.environment, STACK_LOG: `${dir}/functions.log`, STACK_TEST_DIR: dir },
    stdin: "null",
  }).spawn();
  running = child;
  const { code } = await child.status;
  return await readJunit(report, code);
}

function* testFiles(): Generator<string> {
  const pending = [...TEST_FOLDERS];
  for (let folder = pending.pop(); folder; folder = pending.pop()) {
    for (const entry of Deno.readDirSync(folder)) {
      const path = `${folder}/${entry.name}`;
      if (entry.isDirectory) pending.push(path);
      if (entry.name.endsWith("_test.ts")) yield path;
    }
  }
}

async function readJunit(path: string, code: number): Promise<Outcome> {
  const xml = await Deno.readTextFile(path).catch(() => "");
  const count = (tag: string) => xml.split(tag).length - 1;
  const failed = count("<failure") + count("<error");
  const skipped = count("<skipped");
  const passed = count("<testcase ") - skipped - failed;
  // A file that does not even load is in no report.
  return { passed, failed: code !== 0 && failed === 0 ? 1 : failed, skipped };
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`\n${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
