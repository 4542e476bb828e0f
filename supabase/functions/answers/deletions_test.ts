import assert from "node:assert/strict";

import {
  cronClient,
  functionsUrl,
  invoke,
  signUp,
  stack,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";
import { fetchChecked } from "../_testing/answers.ts";
import { booksOf, post, readEvents, resume, type StreamEvent, textIn } from "./answers_testing.ts";
import { IN_TWO_HALVES, withHeldProvider } from "./held_provider_testing.ts";

/** Takes longer than any deletion, even on a busy machine. */
const LONG = "[words=2000] [pace=50]";

/** An answer that is being written. */
interface Running {
  id: string;
  events: StreamEvent[];
  reading: Promise<{ events: StreamEvent[]; done: boolean }>;
}

/** Asks, and returns when something that the model has said is stored: the first part may have the beginning of its step only. */
async function begin(user: TestUser, body: Record<string, unknown>): Promise<Running> {
  const response = await post(user, body);
  const events: StreamEvent[] = [];
  const reading = readEvents(response, (event) => {
    events.push(event);
    return false;
  });
  await until(() => events.length > 5);
  const id = events[0]!.id.split("/")[0]!;
  await until(async () =>
    await withDatabase(async (sql) =>
      (await sql`select from answer_parts where answer_id = ${id} and pieces::text like '%"text"%'`)
        .length > 0
    )
  );
  return { id, events, reading };
}

/** A team with credits, an owner and a member, and a project of it. */
async function withTeam(
  run: (
    team: { id: string; boss: TestUser; member: TestUser; project_id: string },
  ) => Promise<void>,
): Promise<void> {
  const [boss, member] = await Promise.all([signUp(), signUp()]);
  const id = crypto.randomUUID();
  await withDatabase(async (sql) => {
    await sql`insert into teams (id, name) values (${id}, 'T')`;
    await sql`insert into team_members (team_id, user_id, role) values
      (${id}, ${boss.id}, 'owner'), (${id}, ${member.id}, 'member')`;
    await sql`select grant_credits(team_id => ${id}, amount => 50)`;
  });
  const { data, error } = await boss.client.from("projects")
    .insert({ user_id: boss.id, team_id: id, title: "P" }).select().single();
  if (error) throw error;
  try {
    await run({ id, boss, member, project_id: data.id });
  } finally {
    await withDatabase((sql) => sql`delete from teams where id = ${id}`);
  }
}

/** What the account of a team has, and what is left of the answers in a project. */
async function leftIn(team_id: string, project_id: string) {
  return await withDatabase(async (sql) => {
    const [row] = await sql`
      select a.balance::float8, a.held::float8,
        (select count(*)::int from private.credit_holds as h where h.account_id = a.id) as holds,
        (select count(*)::int from credit_reconciliation(a.id)) as problems,
        (select json_agg(m.status order by m.sequence_number) from messages as m
          where m.project_id = ${project_id} and m.role = 'assistant') as messages
      from credit_accounts as a where a.team_id = ${team_id} and a.unit = 'credits'`;
    return row as unknown as {
      balance: number;
      held: number;
      holds: number;
      problems: number;
      messages: string[] | null;
    };
  });
}

/** Asserts that a stream has ended with an error, and says so. */
async function assertEnds({ reading }: Running, types: string[]): Promise<void> {
  const { events, done } = await reading;
  assert.ok(done);
  const last = events.at(-1)?.chunk.type ?? "";
  assert.ok(types.includes(last), last);
}

/** Deletes an account in one of the ways that there are. */
const DELETIONS: Record<string, (user: TestUser) => Promise<void>> = {
  // As auth.admin.deleteUser() and the dashboard do.
  async "the Auth API"(user) {
    await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
  },
  async "the job"(user) {
    assert.equal((await invoke(user.client, "account", { method: "DELETE" })).status, 202);
    await withDatabase((sql) =>
      sql`update private.account_deletions set due_at = now() where user_id = ${user.id}`
    );
    await until(async () => {
      const { body } = await invoke(cronClient(), "cleanup", {
        body: { jobs: ["account_deletions"] },
      });
      return body.jobs[0].outcome === "done";
    });
  },
};

test("an account that is deleted while an answer is written leaves nothing of it", async () => {
  for (const [way, erase] of Object.entries(DELETIONS)) {
    const user = await signUp();
    const running = await begin(user, { message: LONG });
    await erase(user);
    await assertEnds(running, ["error", "abort"]);
    await withDatabase(async (sql) => {
      const [left] = await sql`select
        (select count(*)::int from answers where user_id = ${user.id}) as answers,
        (select count(*)::int from answer_parts where user_id = ${user.id}) as parts,
        (select count(*)::int from messages where user_id = ${user.id}) as messages,
        (select count(*)::int from private.credit_holds where actor_id = ${user.id}) as holds`;
      assert.deepEqual({ ...left }, { answers: 0, parts: 0, messages: 0, holds: 0 }, way);
    });
  }
});

test("a member's account that is deleted while an answer is written: the team pays, and keeps what was written", async () => {
  for (const [way, erase] of Object.entries(DELETIONS)) {
    await withTeam(async ({ id, member, project_id }) => {
      const running = await begin(member, { message: LONG, project_id });
      await erase(member);
      await assertEnds(running, ["error", "abort"]);
      const { balance, messages, ...rest } = await leftIn(id, project_id);
      assert.deepEqual(rest, { held: 0, holds: 0, problems: 0 }, way);
      assert.deepEqual(messages, ["aborted"], way);
      assert.ok(balance < 50, way);
    });
  }
});

test("a conversation that is deleted while an answer is written stops it, and what was written is paid", async () => {
  const user = await signUp();
  const running = await begin(user, { id: "chat", message: LONG });
  const { error } = await user.client.from("conversations").delete().eq("client_id", "chat");
  assert.equal(error, null);
  await assertEnds(running, ["abort"]);
  const { answers: [answer], charged, open, parts, drafts, problems } = await booksOf(user);
  assert.equal(answer?.state, "stopped");
  assert.ok(charged > 0 && charged === answer?.credits);
  assert.deepEqual([open, parts, drafts, problems], [0, 0, 0, 0]);
});

test("a member who leaves while an answer is written gets it no more; the team keeps and pays it", async () => {
  await withTeam(async ({ id, member, project_id }) => {
    await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
      const running = await begin(member, { message: "Hi", model, project_id });
      await withDatabase((sql) =>
        sql`delete from team_members where team_id = ${id} and user_id = ${member.id}`
      );
      goOn();
      await assertEnds(running, ["finish"]);
    });
    const { balance, messages, ...rest } = await leftIn(id, project_id);
    assert.deepEqual(rest, { held: 0, holds: 0, problems: 0 });
    assert.deepEqual(messages, ["complete"]);
    assert.ok(balance < 50);
    assert.deepEqual(
      (await member.client.from("messages").select("id").eq("project_id", project_id)).data,
      [],
    );
  });
});

test("an answer outlives the session and the key that asked for it, and nobody follows it with them", async () => {
  const user = await signUp();
  const created = await invoke(user.client, "keys", {
    body: { name: "K", permissions: ["answers:write"] },
  });
  assert.equal(created.status, 201, JSON.stringify(created.body));
  const key = { authorization: `Bearer ${created.body.key}`, apikey: stack.publishableKey };
  await withHeldProvider([IN_TWO_HALVES], async (model, goOn) => {
    const asking = await fetchChecked(`${functionsUrl}/answers`, {
      method: "POST",
      headers: { ...key, "content-type": "application/json" },
      body: JSON.stringify({ id: "chat", message: "Hi", model }),
    });
    const said: string[] = [];
    const reading = readEvents(asking, ({ chunk }) => {
      said.push(textIn([chunk]));
      return false;
    });
    await until(() => said.includes("four "));
    await withDatabase((sql) =>
      sql`update api_keys set is_active = false where user_id = ${user.id}`
    );
    const refused = await fetchChecked(`${functionsUrl}/answers/chat/stream`, { headers: key });
    assert.equal(refused.status, 401);
    await refused.body?.cancel();
    await user.client.auth.signOut();
    goOn();
    assert.ok((await reading).done);
    assert.equal(said.join(""), "One two three four five six");
  });
  const { answers: [answer], charged, problems } = await booksOf(user);
  assert.deepEqual([answer?.state, charged, problems], ["complete", answer?.credits, 0]);
  const stranger = await signUp();
  assert.equal((await resume(stranger, String(answer?.id))).status, 204);
});
