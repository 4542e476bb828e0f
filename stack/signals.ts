/**
 * The end that a person asks for.
 *
 * @module
 */

/**
 * The first signal to stop. Those that follow change nothing: one Ctrl-C arrives up to three times, from the terminal and
 * from each program that passes it on (npx, `deno task`), and an orderly stop takes no longer than the limits of its parts.
 */
export function nextSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}
