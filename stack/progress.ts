/**
 * What a person sees while the stack starts.
 *
 * @module
 */

/** Reports what is being done. */
export type Report = (line: string) => void;

const encoder = new TextEncoder();

/** Writes a line to stdout. `console` goes to a log file: see {@link divertConsole}. */
export function say(line: string): void {
  try {
    Deno.stdout.writeSync(encoder.encode(`${line}\n`));
  } catch (error) {
    // The reader of the output has gone. The work continues.
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/** Prints each step. */
export const printReport: Report = (line) => say(`  ${line}`);

/**
 * Sends what libraries write to the console to a file. `@supabase/lite` prints every database error that it
 * returns, and the e-mails that Auth would send.
 *
 * @param path The file, appended to.
 */
export function divertConsole(path: string): void {
  const write = (...values: unknown[]) => {
    const text = values.map((v) => typeof v === "string" ? v : Deno.inspect(v)).join(" ");
    Deno.writeTextFileSync(path, `${text}\n`, {
      append: true,
      create: true,
      // The file contains tokens of sign-in links.
      mode: 0o600,
    });
  };
  Object.assign(console, { log: write, info: write, warn: write, error: write, debug: write });
}

/** Reports nothing. */
export const noReport: Report = () => {};

/**
 * Runs one step and reports it with the time it took.
 *
 * @param report Where to report it.
 * @param label Name of the step: `Starting PostgreSQL`.
 * @param run The step.
 * @returns What the step returns.
 */
export async function step<T>(report: Report, label: string, run: () => Promise<T>): Promise<T> {
  const start = performance.now();
  report(`${label} ...`);
  const result = await run();
  report(`${label}: done in ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}
