/**
 * One round: many answers, each at another place of its life, to all of which the same thing happens.
 *
 * @module
 */

import assert from "node:assert/strict";

import { untilAnswering } from "../_testing/checkout.ts";
import { type TestUser, until } from "../_testing/testing.ts";
import { post, readEvents, resume, type StreamEvent } from "./answers_testing.ts";
import { ClosedGates, connectTo } from "./gates_testing.ts";
import {
  checkLeft,
  type Known,
  type Left,
  readLeft,
  storedText,
  textOf,
} from "./kills_model_testing.ts";
import { type Disturbed, type Fault, FAULTS, LOOKERS, type World } from "./kills_faults_testing.ts";
import { type Place, PLACES, playFor } from "./places_testing.ts";
import { saidBy } from "./scripted_provider_testing.ts";

/** Of how many answers one is followed when all is over. */
const FOLLOWED = 5;

/** A round. */
export interface Round {
  chat: string;
  users: TestUser[];
  /** A place for each user; undefined: anywhere. */
  places: (Place | undefined)[];
  /** The user of the ephemeral answer, and what is said in it. */
  confidant: TestUser;
  secret: string;
  fault: string;
  looker: string;
  granted: number;
  context: string;
}

/** Lets a round happen, and checks what is left of it. Returns the states of the answers, in the order of the users. */
export async function playRound(world: World, round: Round): Promise<string[]> {
  const fault = FAULTS[round.fault]!;
  // The last round may have killed the database.
  await untilAnswering(world.of);
  const waiting = round.users.flatMap(({ id }, n) => {
    const name = round.places[n]?.gate;
    return name ? [{ user_id: id, name }] : [];
  });
  const gates = await ClosedGates.close(world.of, waiting);
  const whispered = await whisper(world, round);
  const answers = round.users.map((user, n) => prepare(world, round, user, round.places[n]));
  // When the call waits that stores what all say, nobody else gets further. Those that wait while they begin come last: the
  // database lets no statement take longer than some seconds.
  const wave = ({ place }: Disturbed) => place?.begins ? 2 : place?.stores ? 1 : 0;
  let gated = 0;
  for (const n of [0, 1, 2]) {
    const some = answers.filter((answer) => wave(answer) === n);
    for (const answer of some) ask(world, round, answer);
    if (n < 2) await reach(world, round.chat, some);
    gated += some.filter(({ place }) => place?.gate).length;
    await until(async () => await gates.waiting() === gated);
  }
  const all = [...answers, whispered];
  const happening = fault.happen(world, round.chat, all);
  await gates.open();
  if (fault.isAwaited) await happening;
  for (const { play } of all) play.release();
  await happening;
  await Promise.all(all.map(({ reading }) => reading));

  const stored = await settle(world, round, answers);
  const left = await read(world, round, answers);
  const states = answers.map((answer) =>
    checkLeft(left.get(answer.user.id)!, {
      whole: saidBy(answer.play.lines),
      seen: answer.seen,
      states: statesOf(fault, answer),
      stored: stored.get(answer.user.id),
      granted: round.granted,
      question: answer.question,
      context: `${round.context}: ${round.fault} when ${answer.place?.name ?? "at any time"}`,
    })
  );
  await followLater(round, left);
  // Whoever looks later changes nothing.
  await LOOKERS["all at once"]!(world, round.chat, answers);
  const later = await read(world, round, answers);
  for (const [id, before] of left) {
    if (JSON.stringify(later.get(id)) !== JSON.stringify(before)) {
      throw new Error(
        `${round.context}: a later look has changed ${JSON.stringify([before, later.get(id)])}`,
      );
    }
  }
  for (const { question } of all) world.plays.delete(question);
  return states;
}

/** A device that comes later gets what is stored, to the end. */
async function followLater({ users, context }: Round, left: Map<string, Left>): Promise<void> {
  await Promise.all(
    users.filter((_, n) => n % FOLLOWED === 0).map(async (user) => {
      const { answers: [answer], drafts: [message] } = left.get(user.id)!;
      if (!message) return;
      const { events, done } = await readEvents(await resume(user, String(answer?.id)));
      assert.ok(done, context);
      assert.equal(
        events.map(({ chunk }) => saidIn(chunk)).join(""),
        textOf(message.content),
        context,
      );
    }),
  );
}

/** What a chunk adds to an answer. */
function saidIn(chunk: StreamEvent["chunk"]): string {
  if (chunk.type === "text-delta" || chunk.type === "reasoning-delta") return chunk.delta;
  return chunk.type === "tool-input-delta" ? chunk.inputTextDelta : "";
}

function statesOf(
  { states = [], isAwaited, maySpareNone }: Fault,
  { status, place }: Disturbed,
): Known["states"] {
  if (isAwaited && place?.at && place.then !== "end") return states;
  // A client that was told of an answer has one.
  return ["complete", ...states, ...maySpareNone && status !== 200 ? ["none"] : []];
}

/** Begins an ephemeral answer, and waits until its client has read the secret in it. What happens to the others happens to it. */
async function whisper(world: World, round: Round): Promise<Disturbed> {
  const { chat, secret, confidant } = round;
  const place = PLACES.find(({ at }) => at === "input");
  const answer = prepare(world, round, confidant, place, `play-${secret}-${chat}`);
  answer.play.lines.splice(answer.marks.middle, 0, {
    data: { choices: [{ delta: { content: secret } }] },
    said: secret,
  });
  const body = { messages: [{ role: "user", content: answer.question }], model: world.model };
  const { signal } = answer.gone;
  answer.reading = receive(answer, post(confidant, body, { path: "/ephemeral", signal }));
  await until(() => answer.seen.includes(secret));
  return answer;
}

function prepare(
  world: World,
  round: Round,
  user: TestUser,
  place: Place | undefined,
  question = `play-${round.chat}-${user.id}`,
): Disturbed {
  const { play, marks } = playFor(place, world.random);
  world.plays.set(question, play);
  return {
    user,
    place,
    play,
    marks,
    question,
    gone: new AbortController(),
    seen: "",
    status: undefined,
    reading: Promise.resolve(),
  };
}

function ask({ model }: World, { chat }: Round, answer: Disturbed): void {
  const body = {
    id: chat,
    message: answer.question,
    model,
    parameters: { tools: [{ name: "look_up" }] },
  };
  answer.reading = receive(answer, post(answer.user, body, { signal: answer.gone.signal }));
}

async function receive(answer: Disturbed, responding: Promise<Response>): Promise<void> {
  try {
    const response = await responding;
    answer.status = response.status;
    if (response.status !== 200) return await response.body?.cancel();
    await readEvents(response, ({ chunk }) => {
      answer.seen += saidIn(chunk);
      return false;
    });
  } catch {
    // The connection broke, which is the point.
    answer.status ??= 0;
  }
}

/** Waits until every answer is at its place. */
async function reach(world: World, chat: string, answers: Disturbed[]): Promise<void> {
  const goOn = answers.filter(({ place }) => place?.then);
  const all = (arrived: () => boolean | Promise<boolean>) =>
    until(() => {
      const refused = answers.find(({ status }) => status !== undefined && status !== 200);
      if (refused) throw new Error(`A request got ${refused.status} before anything happened`);
      return arrived();
    }).catch((error) => {
      const states = answers.map((
        { user, place, play, status, seen },
      ) => [user.id, place?.name, play.isHeld, play.sent, status, seen]);
      throw new Error(`${error.message}\n${JSON.stringify(states)}`, { cause: error });
    });
  const client = await connectTo(world.of);
  try {
    if (goOn.length > 0) {
      await all(async () => {
        const left = await readLeft(client, goOn.map(({ user }) => user), chat);
        return goOn.every(({ user }) => storedText(left.get(user.id)!) !== "");
      });
    }
    for (const { play, place, marks } of goOn) {
      play.release(place?.then === "end" ? undefined : marks[place!.then!]);
    }
    await all(() =>
      answers.every(({ play, place }) => !place?.at || place.then === "end" || play.isHeld)
    );
  } finally {
    await client.end();
  }
}

/**
 * Waits until all answers have ended. Those that nobody ends are made to look old, and somebody looks. Returns what was
 * stored of them.
 */
async function settle(
  world: World,
  round: Round,
  answers: Disturbed[],
): Promise<Map<string, { text: string; counted: number }>> {
  const fault = FAULTS[round.fault]!;
  const stored = new Map<string, { text: string; counted: number }>();
  await until(async () => {
    const client = await connectTo(world.of).catch(() => undefined);
    if (!client) return false;
    try {
      // What a killed function had sent may still be at work.
      const { rows: [busy] } = await client.query(
        "select 1 from pg_stat_activity where usename = 'stack_api' and state <> 'idle'",
      );
      if (busy) return false;
      const left = await readLeft(client, round.users, round.chat);
      const running = answers.filter(({ user }) =>
        left.get(user.id)?.answers[0]?.state === "running"
      );
      const abandoned = running.filter(({ status }) => fault.isFatal || status !== 200);
      for (const { user } of abandoned) {
        const { counted, ...parts } = left.get(user.id)!;
        stored.set(user.id, { text: storedText({ counted, ...parts }), counted });
      }
      if (abandoned.length > 0) {
        await age(client, abandoned);
        await LOOKERS[round.looker]!(world, round.chat, abandoned);
      }
      return running.length === 0;
    } catch {
      return false;
    } finally {
      await client.end().catch(() => {});
    }
  });
  return stored;
}

/** Makes answers look as if nobody had written to them for long. */
async function age(client: Awaited<ReturnType<typeof connectTo>>, answers: Disturbed[]) {
  const users = [answers.map(({ user }) => user.id)];
  await client.query(
    `update public.answer_parts set written_at = written_at - interval '1 day' where user_id = any ($1)`,
    users,
  );
  await client.query(
    `update public.answers set created_at = created_at - interval '1 day'
      where user_id = any ($1) and state = 'running'`,
    users,
  );
}

async function read(
  { of }: World,
  { chat }: Round,
  answers: Disturbed[],
): Promise<Map<string, Left>> {
  const client = await connectTo(of);
  try {
    return await readLeft(client, answers.map(({ user }) => user), chat);
  } finally {
    await client.end();
  }
}
