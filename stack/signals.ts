/**
 * Signals that ask a command to stop.
 *
 * @module
 */

/**
 * Waits for the first signal to stop. Later signals have no effect: one Ctrl-C arrives up to three times, from the terminal
 * and from each program that passes it on (`npx`, `deno task`), and each part of an orderly stop has a time limit.
 */
export function nextSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
      Deno.addSignalListener(signal, () => resolve(signal));
    }
  });
}
