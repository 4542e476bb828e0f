/**
 * `deno task test`: runs the tests on separate stacks, several files at once, and leaves nothing behind.
 *
 * @module
 */

import { isHelp, taskCommand, unknownArgument } from "./command.ts";
import { StackFailure } from "./failure.ts";
import { launcherEnds } from "./launcher.ts";
import { say } from "./progress.ts";
import { nextSignal } from "./signals.ts";
import { listTests, select, type Selection } from "./test_files.ts";
import { type Lane, startLane } from "./test_lane.ts";
import { type Outcome, sum } from "./test_outcome.ts";

const TEST = taskCommand("test");

const HELP =
  `Runs the tests on temporary stacks with free ports. Stacks that are already running are not affected.

  ${TEST}             run all tests
  ${TEST} TEXT        run the tests whose file or name contains TEXT (pgTAP: only the file)
  ${TEST} --sql       run only pgTAP tests;  --deno  run only the others
  ${TEST} --lanes=N   run N files at once, each on its own stack  (default: ${defaultLanes()})

Environment
  STACK_DENO=PATH  Deno executable that runs the functions  (default: this one)
`;

/** One lane for each processor. */
function defaultLanes(): number {
  return navigator.hardwareConcurrency;
}

async function main(args: string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith("-"));
  const [text = "", ...more] = args.filter((arg) => !arg.startsWith("-"));
  const known = /^(--sql|--deno|--lanes=[1-9]\d?)$/;
  const unknown = unknownArgument([...flags, ...more], (flag) => known.test(flag));
  if (unknown || flags.some(isHelp)) {
    say(unknown ? `${unknown}.\n\n${HELP}` : HELP);
    return unknown ? 2 : 0;
  }
  const lanes = Number(flags.find((flag) => flag.startsWith("--lanes="))?.slice(8)) ||
    defaultLanes();
  const all = listTests().filter(({ kind }) =>
    !flags.includes(kind === "deno" ? "--sql" : "--deno")
  );
  const selected = select(all, text);
  if (selected.length === 0) {
    say(`There is no test whose file or name contains "${text}".`);
    return 1;
  }
  const stop = new AbortController();
  const orphaned = launcherEnds().then(() => "the program that started it has ended");
  Promise.race([nextSignal(), orphaned]).then((signal) => {
    say(`\nStopping (${signal})`);
    stop.abort();
  });
  const start = performance.now();
  const outcomes = await runAll(selected, lanes, stop.signal);
  if (stop.signal.aborted) return 130;

  say(`\nIn ${((performance.now() - start) / 1000).toFixed(0)} s:`);
  const { passed, failed, skipped } = sum(outcomes);
  for (const { path } of outcomes.filter((outcome) => outcome.failed > 0)) {
    say(`Failed, as shown above. To run it alone: ${taskCommand(`test ${path}`)}`);
  }
  if (skipped > 0) {
    say(
      `${skipped} skipped: they need something that this machine does not have, such as an extension`,
    );
  }
  if (text) say(`${leftOut(all, selected)} left out by "${text}"`);
  say(`${passed} passed, ${failed} failed`);
  return failed > 0 || passed === 0 ? 1 : 0;
}

function leftOut(all: ReturnType<typeof listTests>, selected: Selection[]): string {
  const tests = (files: { names: string[] }[]) => files.flatMap(({ names }) => names).length;
  const files = all.filter(({ kind }) => kind === "pgtap").length -
    selected.filter(({ kind }) => kind === "pgtap").length;
  return `${tests(all) - tests(selected)} tests and ${files} pgTAP files`;
}

/** Runs the pgTAP files in the first lane, and the other files in the next free lane. */
async function runAll(
  files: Selection[],
  most: number,
  signal: AbortSignal,
): Promise<Outcome[]> {
  const pgtap = files.filter(({ kind }) => kind === "pgtap");
  const queue = files.filter(({ kind }) => kind === "deno");
  const count = Math.min(most, queue.length + Number(pgtap.length > 0));
  const dir = await Deno.makeTempDir({ prefix: "strongroom-test-" });
  await Deno.chmod(dir, 0o755);
  const lanes: Lane[] = [];
  const working: Promise<Outcome[]>[] = [];
  try {
    say(`Test files: ${files.length}, stacks: ${count}`);
    while (lanes.length < count && !signal.aborted) {
      const lane = await startLane(`${dir}/${lanes.length + 1}`);
      lanes.push(lane);
      if (lanes.length === 1 && pgtap.length > 0) {
        working.push(
          lane.runPgtap(pgtap, signal).then(async (outcomes) => [
            ...outcomes,
            ...await lane.runDeno(queue, signal),
          ]),
        );
      } else working.push(lane.runDeno(queue, signal));
      // An error is thrown below, where all are awaited.
      working.at(-1)?.catch(() => {});
    }
    return (await Promise.all(working)).flat();
  } finally {
    await Promise.allSettled(working);
    await Promise.all(lanes.map((lane) => lane.stop()));
    await Deno.remove(dir, { recursive: true });
  }
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
