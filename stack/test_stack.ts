/**
 * The process of a stack for tests. `test_lane.ts` starts it with the stack's folder as its argument. When the stack runs, it
 * writes the environment of the tests to stdout as one line of JSON. It ends when its stdin closes.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { readOptions } from "./options.ts";
import { freePorts, portsLeft } from "./ports.ts";
import { connect } from "./postgres.ts";
import { noReport, say } from "./progress.ts";
import { startStack } from "./stack.ts";

async function main(dir: string): Promise<void> {
  const log = await Deno.open(`${dir}/functions.log`, { create: true, append: true, mode: 0o600 });
  const encoder = new TextEncoder();
  const stack = await startStack(
    { ...await readOptions(), dir, ...freePorts() },
    {
      report: noReport,
      log: (line) => log.writeSync(encoder.encode(`${line}\n`)),
      watch: false,
      durable: false,
      schedule: false,
    },
  );
  const admin = connect(stack.access, "supabase_admin");
  await admin`create extension if not exists pgtap with schema extensions`;
  await admin.end();
  say(JSON.stringify({
    ...stack.environment,
    STACK_TEST_DIR: dir,
    // For stacks that tests start.
    STACK_TEST_PORTS: portsLeft(),
  }));
  for await (const _ of Deno.stdin.readable) { /* nothing is ever sent */ }
  await stack.stop();
}

if (import.meta.main) {
  try {
    await main(Deno.args[0] ?? "");
    Deno.exit(0);
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
