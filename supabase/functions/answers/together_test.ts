import assert from "node:assert/strict";

import postgres from "postgres";

import {
  signUp,
  soak,
  stack,
  test,
  type TestUser,
  until,
  withDatabase,
  withSettings,
} from "../_testing/testing.ts";
import { booksOf, post, readEvents, resume, stopToEnd, textIn } from "./answers_testing.ts";

/** How many are stopped and followed at once. */
const MANY = Math.min(200, Math.ceil(25 * soak));

const LIMITS = { "answers.at_once": 1000, "answers.per_minute": 10000, "requests.per_user": 0 };

/** Begins an answer, and returns its id, what was said up to its first word, and the rest of its stream. */
async function begin(user: TestUser, message: string) {
  const response = await post(user, { message });
  const reading = response.body!.tee();
  const { events } = await readEvents(
    new Response(reading[0], response),
    ({ chunk }) => chunk.type === "text-delta",
  );
  return {
    id: events[0]!.id.split("/")[0]!,
    rest: readEvents(new Response(reading[1], response)),
  };
}

/** How many parts of an answer are stored. */
async function countParts(id: string): Promise<number> {
  let count = 0;
  await withDatabase(async (sql) => {
    const [row] =
      await sql`select count(*)::int as parts from answer_parts where answer_id = ${id}`;
    count = row!.parts;
  });
  return count;
}

test("many answers that are stopped at once all end, and each is paid", async () => {
  const users = await Promise.all(Array.from({ length: 5 }, () => signUp()));
  for (const { id } of users) {
    await withDatabase((sql) => sql`select grant_credits(${id}, 100000)`);
  }
  await withSettings(LIMITS, async () => {
    const begun = await Promise.all(
      Array.from({ length: MANY }, (_, n) => begin(users[n % 5]!, "Go on [words=1000] [pace=200]")),
    );
    const stops = await Promise.all(begun.map(({ id }, n) => stopToEnd(users[n % 5]!, id)));
    for (const { answer, message, entry } of stops) {
      assert.deepEqual([answer.state, message.status], ["stopped", "aborted"]);
      assert.equal(entry.amount, -answer.credits);
    }
    for (const { rest } of begun) assert.ok((await rest).done);
  });
  for (const user of users) {
    const { open, parts, drafts, held, problems } = await booksOf(user);
    assert.deepEqual([open, parts, drafts, held, problems], [0, 0, 0, 0, 0]);
  }
});

test("many devices that follow an answer in one process share its readings", async () => {
  const user = await signUp();
  const admin = postgres(stack.adminDbUrl, { max: 1 });
  const readings = async () => {
    const [row] = await admin`select pg_stat_clear_snapshot(),
      (select coalesce(sum(calls), 0)::int from pg_stat_user_functions where funcname = 'read_answer') as calls`;
    return row!.calls as number;
  };
  try {
    await admin`alter system set track_functions = 'pl'`;
    await admin`select pg_reload_conf()`;
    await withSettings(LIMITS, async () => {
      // The connections of the API have taken the setting over when a reading counts.
      let asked = 0;
      await until(async () => {
        const before = await readings();
        asked++;
        await resume(user, crypto.randomUUID());
        return await readings() > before;
      });
      const before = await readings();
      const start = performance.now();
      const { id, rest } = await begin(user, "Go on [words=100] [pace=40]");
      const devices = await Promise.all(
        Array.from({ length: MANY }, async () => {
          const { events, done } = await readEvents(await resume(user, id));
          assert.ok(done);
          return textIn(events.map(({ chunk }) => chunk));
        }),
      );
      const text = textIn((await rest).events.map(({ chunk }) => chunk));
      for (const device of devices) assert.equal(device, text);
      // Together, the devices read it once in 250 ms; and each of them once on its own when it comes.
      const together = (performance.now() - start) / 250;
      const calls = await readings() - before;
      // A connection counts its calls up to a second later, so what was asked before may be among them.
      assert.ok(calls < 2 * MANY + together + asked, `${calls} readings`);
    });
  } finally {
    await admin`alter system reset track_functions`;
    await admin`select pg_reload_conf()`;
    await admin.end();
  }
});

test("an answer that another transaction holds, or whose part is refused, keeps no other from being stored", async () => {
  const [held, refused, other] = await Promise.all([signUp(), signUp(), signUp()]);
  const message = "Go on [words=1000] [pace=100]";
  const [a, b, c] = await Promise.all([held, refused, other].map((user) => begin(user, message)));
  const refusal = `refuse_${crypto.randomUUID().replaceAll("-", "")}`;
  await withDatabase(async (sql) => {
    await sql.unsafe(`create function private.${refusal}() returns trigger language plpgsql as $$
      begin raise exception 'No'; end $$`);
    await sql.unsafe(`create trigger ${refusal} before insert on answer_parts for each row
      when (new.answer_id = '${b!.id}') execute function private.${refusal}()`);
    try {
      await sql.begin(async (transaction) => {
        await transaction`select from answers where id = ${a!.id} for update`;
        const before = await Promise.all([a, b, c].map((each) => countParts(each!.id)));
        await until(async () => await countParts(c!.id) > before[2]! + 1);
        // What was on its way when the lock was taken may have arrived.
        const after = await Promise.all([a, b].map((each) => countParts(each!.id)));
        assert.ok(after.every((parts, n) => parts <= before[n]! + 1), `${before} ${after}`);
      });
      await until(async () => await countParts(a!.id) > 1);
      for (const [n, user] of [held, refused, other].entries()) {
        const stopped = await stopToEnd(user!, [a, b, c][n]!.id);
        const { events, done } = await [a, b, c][n]!.rest;
        assert.ok(done);
        const saved = stopped.message.content.at(-1).text;
        assert.equal(saved, textIn(events.map(({ chunk }) => chunk)));
        assert.equal((await booksOf(user!)).parts, 0);
      }
    } finally {
      await sql.unsafe(`drop function private.${refusal}() cascade`);
    }
  });
});
