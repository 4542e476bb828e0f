import assert from "node:assert/strict";
import { inspect } from "node:util";

import { noteProcesses, withCheckout } from "../../functions/_testing/checkout.ts";
import { type Answer, invoke, soak, test, until } from "../../functions/_testing/testing.ts";
import {
  assertAllSaved,
  assertBooks,
  countCalls,
  prepare,
  save,
  type Saving,
  type Scene,
  withEach,
  withScene,
} from "./saving_testing.ts";

const ANSWERS = Math.min(300, Math.ceil(200 * soak));

/** How often each random event must happen at least. */
const FAIR = ANSWERS / 60;

/**
 * Limit of answers. The process loads again after each kill, so the faster the machine saves, the fewer kills there are
 * for a number of answers, and the more answers are needed.
 */
const MOST_ANSWERS = 5 * ANSWERS;

/** Saves each answer with one request, whether or not it gets a response. */
async function saveOnce(scene: Scene, savings: Saving[]): Promise<void> {
  await withEach(savings, async (saving) => {
    try {
      const answer = await save(scene, saving);
      if (answer.status === 201) saving.answer = answer;
      else saving.failure = answer;
    } catch (error) {
      // The process ended during its response.
      saving.failure = error;
    }
  });
}

/** Kills the functions' process at random moments until the load is over. Returns the total number of kills. */
async function killUntil(
  over: () => boolean,
  { scene, savings, processes }: { scene: Scene; savings: Saving[]; processes: () => number[] },
  before: number,
): Promise<number> {
  const { client, sql, project_id } = scene;
  const countAnswers = () => savings.filter(({ answer }) => answer).length;
  let kills = before;
  let answered = countAnswers();
  const begun = () => until(() => over() || processes().length > kills);
  const killWithin = async (milliseconds: number) => {
    await new Promise((resolve) => setTimeout(resolve, Math.random() * milliseconds));
    await begun();
    if (over()) return;
    const ids = processes();
    assert.equal(ids.length, ++kills, "A process ended without a kill");
    Deno.kill(ids.at(-1) as number, "SIGKILL");
    await assertBooks(scene, savings);
    answered = countAnswers();
  };
  // A process takes longer to load than to respond, so purely random kills would rarely meet a request in SQL.
  const occasions = [
    () => begun().then(() => killWithin(300)),
    () => invoke(client, "projects/openapi.json").then(() => killWithin(100)),
    () => until(() => over() || countAnswers() > answered).then(() => killWithin(50)),
    () =>
      sql.begin(async (transaction) => {
        await transaction`select from projects where id = ${project_id} for update`;
        await until(async () => over() || await countCalls(scene, "Lock") > 0);
        await killWithin(50);
      }),
  ];
  while (!over()) {
    for (const occasion of occasions) await occasion();
  }
  return kills;
}

/** Counts the requests that were interrupted before and after the commit. */
function countInterrupted(savings: Saving[], saved: Map<string, number>) {
  const interrupted = savings.filter(({ answer }) => !answer);
  const committed = interrupted.filter(({ id }) => saved.has(id)).length;
  return { committed, not: interrupted.length - committed };
}

const isFair = (counts: Record<string, number>) =>
  Object.values(counts).every((count) => count >= FAIR);

/** Asserts that every successful response is stored. */
function assertAnswered(savings: Saving[], saved: Map<string, number>): void {
  for (const { id, answer, failure } of savings) {
    if (answer) assert.equal(saved.get(id), answer.body.messages[0].sequence_number);
    else if (!(failure instanceof Error)) assert.equal((failure as Answer).status, 502);
  }
}

/** Repeats each request. What was already done must not happen a second time. */
async function repeat(scene: Scene, savings: Saving[], saved: Map<string, number>): Promise<void> {
  await withEach(savings, async (saving) => {
    const { id, amount, keyed, answer } = saving;
    const { status, headers, body } = await save(scene, saving);
    assert.equal(status, 201, inspect(body));
    assert.deepEqual([body.messages[0].id, body.entry.amount], [id, -amount]);
    if (answer) assert.deepEqual(body, answer.body);
    if (!saved.has(id)) return;
    assert.equal(body.messages[0].sequence_number, saved.get(id));
    assert.equal(headers.get("idempotent-replayed"), keyed ? "true" : null);
  });
}

test("an answer is saved and paid for, or neither, if the functions' process is killed, and can be repeated", async () => {
  await withCheckout(async (checkout) => {
    const processes = await noteProcesses(checkout);
    await checkout.start();
    await withScene(await checkout.stack(), async (scene) => {
      const savings: Saving[] = [];
      let saved = new Map<string, number>();
      let counts = { kills: 0, committed: 0, not: 0 };
      while (!isFair(counts) && savings.length < MOST_ANSWERS) {
        const more = await prepare(scene, ANSWERS, savings.length);
        savings.push(...more);
        let over = false;
        const [kills] = await Promise.all([
          killUntil(() => over, { scene, savings, processes }, counts.kills),
          saveOnce(scene, more).finally(() => over = true),
        ]);
        // Calls that a process made before it died continue in the database.
        await until(async () => await countCalls(scene) === 0);
        saved = await assertBooks(scene, savings);
        assertAnswered(savings, saved);
        counts = { kills, ...countInterrupted(savings, saved) };
      }
      assert.ok(isFair(counts), inspect(counts));
      await repeat(scene, savings, saved);
      await assertAllSaved(scene, savings);
    });
  });
});
