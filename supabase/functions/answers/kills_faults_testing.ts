/**
 * What happens to answers in a round, and who looks at those that nobody writes any more.
 *
 * @module
 */

import { type Checkout, killPostgres, processesOf } from "../_testing/checkout.ts";
import { type TestStack, type TestUser, until } from "../_testing/testing.ts";
import { resume, stop } from "./answers_testing.ts";
import { connectTo } from "./gates_testing.ts";
import type { Marks, Place, Random } from "./places_testing.ts";
import type { Play } from "./scripted_provider_testing.ts";

/** Where the rounds take place. */
export interface World {
  checkout: Checkout;
  of: TestStack;
  model: string;
  plays: Map<string, Play>;
  random: Random;
}

/** An answer that is disturbed. */
export interface Disturbed {
  user: TestUser;
  place: Place | undefined;
  play: Play;
  marks: Marks;
  question: string;
  gone: AbortController;
  /** What its client has received. */
  seen: string;
  /** The status of the response; undefined before it has come, 0 if it never does. */
  status: number | undefined;
  reading: Promise<void>;
}

/** What happens to the answers of a round. */
export interface Fault {
  happen(world: World, chat: string, answers: Disturbed[]): Promise<unknown>;
  /** Whether the provider waits until it has happened. Otherwise it goes on at the same time, and may be faster. */
  isAwaited?: boolean;
  /** Whether it ends the functions, so that nobody ends the answers. */
  isFatal?: boolean;
  /** States besides `complete` that answers may end in. */
  states?: string[];
  /** Whether an answer may not have begun. */
  maySpareNone?: boolean;
}

/** Kills the process of a stack's functions, as the platform does. The next request starts another one. */
export async function killFunctions({ of }: Pick<World, "of">): Promise<void> {
  for (const pid of processesOf("functions_host.ts")) {
    const environment = await Deno.readTextFile(`/proc/${pid}/environ`).catch(() => "");
    if (!environment.split("\0").includes(`SUPABASE_URL=${of.url}`)) continue;
    Deno.kill(Number(pid), "SIGKILL");
    await until(() => !processesOf("functions_host.ts").includes(pid));
  }
}

/** Kills a connection of the API: PostgreSQL then ends all others and recovers. */
async function killConnection({ of }: World): Promise<void> {
  const client = await connectTo(of);
  const { rows: [row] } = await client.query(
    "select pid from pg_stat_activity where usename = 'stack_api' order by state <> 'active' limit 1",
  );
  if (row) Deno.kill(row.pid, "SIGKILL");
  await client.end().catch(() => {});
}

const each = (answers: Disturbed[], run: (answer: Disturbed) => Promise<Response>) =>
  Promise.all(answers.map((answer) => discard(run(answer))));

async function discard(responding: Promise<Response>): Promise<void> {
  const response = await responding.catch(() => undefined);
  await response?.body?.cancel();
}

/** What happens, by name; a short run has only the first five. */
export const FAULTS: Record<string, Fault> = {
  "the function is killed": {
    happen: killFunctions,
    isFatal: true,
    states: ["abandoned"],
    maySpareNone: true,
  },
  "a connection of the database is killed": {
    happen: killConnection,
    states: ["abandoned"],
    maySpareNone: true,
  },
  "the client goes": {
    happen(_world, _chat, answers) {
      for (const { gone } of answers) gone.abort();
      return Promise.resolve();
    },
  },
  "the provider goes": {
    happen(_world, _chat, answers) {
      for (const { play } of answers) play.vanish();
      return Promise.resolve();
    },
    states: ["failed"],
  },
  "the user stops it": {
    happen: (_world, chat, answers) => each(answers, ({ user }) => stop(user, chat)),
    isAwaited: true,
    states: ["stopped"],
  },
  "the database is killed": {
    happen: ({ checkout }) => killPostgres(checkout),
    states: ["abandoned"],
    maySpareNone: true,
  },
  "both are killed": {
    happen: (world) => Promise.all([killFunctions(world), killConnection(world)]),
    isFatal: true,
    states: ["abandoned"],
    maySpareNone: true,
  },
  "the database is killed, and the function a moment later": {
    async happen(world) {
      await killPostgres(world.checkout);
      await untilBack(world);
      await killFunctions(world);
    },
    isFatal: true,
    states: ["abandoned"],
    maySpareNone: true,
  },
  "the user stops it twice, and another device resumes it": {
    happen: (_world, chat, answers) =>
      Promise.all([
        each(answers, ({ user }) => stop(user, chat)),
        each(answers, ({ user }) => resume(user, chat)),
        each(answers, ({ user }) => stop(user, chat)),
      ]),
    states: ["stopped"],
  },
  "the function is killed while the user stops it": {
    happen: (world, chat, answers) =>
      Promise.all([each(answers, ({ user }) => stop(user, chat)), killFunctions(world)]),
    isFatal: true,
    states: ["stopped", "abandoned"],
    maySpareNone: true,
  },
};

async function untilBack({ of }: World): Promise<void> {
  await until(async () => {
    const client = await connectTo(of).catch(() => undefined);
    await client?.end().catch(() => {});
    return client !== undefined;
  });
}

/** Who looks at answers that nobody writes any more. All who do at once must not settle one twice. */
export const LOOKERS: Record<
  string,
  (world: World, chat: string, answers: Disturbed[]) => Promise<unknown>
> = {
  "a device": (_world, chat, answers) => each(answers, ({ user }) => resume(user, chat)),
  "the cleanup": cleanUp,
  "a stop": (_world, chat, answers) => each(answers, ({ user }) => stop(user, chat)),
  "all at once": (world, chat, answers) =>
    Promise.all(
      [LOOKERS["a stop"]!, cleanUp, LOOKERS["a device"]!].map((look) => look(world, chat, answers)),
    ),
};

async function cleanUp({ of }: World): Promise<void> {
  await discard(fetch(`${of.url}/functions/v1/cleanup`, {
    method: "POST",
    headers: { apikey: of.cronKey },
    body: JSON.stringify({ jobs: ["abandoned_answers"] }),
  }));
}
