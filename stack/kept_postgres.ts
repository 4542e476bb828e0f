/**
 * Keeps PostgreSQL running.
 *
 * @module
 */

import { type Postgres, type PostgresOptions, startPostgres } from "./postgres.ts";

/**
 * Starts PostgreSQL, and starts it again whenever it ends without having been stopped, as the platform does.
 *
 * @param options As {@link startPostgres} takes them.
 * @param say Is told that it has ended, and that it runs again.
 * @returns The server. `ended` resolves when it was stopped, or cannot be started again.
 * @throws {StackFailure} as {@link startPostgres}.
 */
export async function keepPostgres(
  options: PostgresOptions,
  say: (line: string) => void,
): Promise<Postgres> {
  let current = await startPostgres(options);
  let stopping = false;
  const keep = async () => {
    while (true) {
      await current.ended;
      if (stopping) return;
      say(
        `PostgreSQL ended unexpectedly, and is being started again. Its log: ${current.dir}/postgres.log`,
      );
      // Its guard would stop the next server.
      await current.stop();
      try {
        current = await startPostgres(options);
      } catch (error) {
        say(
          `PostgreSQL cannot be started again: ${error instanceof Error ? error.message : error}`,
        );
        return;
      }
      say("PostgreSQL is running again");
      if (stopping) return await current.stop();
    }
  };
  const ended = keep();
  return {
    get pid() {
      return current.pid;
    },
    ended,
    dir: current.dir,
    extensionDir: current.extensionDir,
    async stop() {
      stopping = true;
      await current.stop();
      await ended;
    },
  };
}
