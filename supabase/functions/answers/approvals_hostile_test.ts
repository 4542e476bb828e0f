import assert from "node:assert/strict";

import { signUp, test, type TestUser, withDatabase } from "../_testing/testing.ts";
import { ask, booksOf, post, readChunks, readEvents, resume } from "./answers_testing.ts";

const parameters = { server_tools: ["rename_conversation", "search_messages"] };
const text = '[call rename_conversation {"title":"Lakes"}] [words=2]';

interface Waiting {
  id: string;
  role: "assistant";
  parts: { type: string; state?: string; approval?: Record<string, unknown> }[];
}

/** Asks for a call that needs approval, and returns the message that waits. */
async function askToRename(user: TestUser, place: Record<string, string>): Promise<Waiting> {
  const { status, body } = await ask(user, { ...place, message: text, parameters });
  assert.equal(status, 200, JSON.stringify(body));
  assert.equal(body.message.content.at(-1).state, "approval-requested");
  return { id: body.message.id, role: "assistant", parts: body.message.content };
}

/** The message as the client posts it when the user has allowed the call. */
const approved = ({ id, role, parts }: Waiting) => ({
  id,
  role,
  parts: parts.map((part) =>
    part.state === "approval-requested"
      ? { ...part, state: "approval-responded", approval: { ...part.approval, approved: true } }
      : part
  ),
});

async function titleOf(user: TestUser, id: string): Promise<string> {
  const { data } = await user.client.from("conversations").select("title").eq("client_id", id)
    .single();
  return String(data?.title);
}

test("of 64 approvals at once, one counts, and the tool is run and paid once", async () => {
  const user = await signUp();
  const message = approved(await askToRename(user, { id: "chat" }));
  const responses = await Promise.all(
    Array.from({ length: 64 }, () => ask(user, { id: "chat", message, parameters })),
  );
  const codes = responses.map(({ status, body }) => body.code ?? status);
  assert.equal(codes.filter((code) => code === 200).length, 1, codes.join());
  assert.ok(
    codes.every((code) => [200, "answer_running", "approval_not_pending"].includes(code)),
    codes.join(),
  );
  assert.equal(await titleOf(user, "chat"), "Lakes");
  const { answers, open, held, problems } = await booksOf(user);
  assert.deepEqual([answers.length, open, held, problems], [2, 0, 0, 0]);
  assert.ok(answers.every(({ charged, credits }) => charged === credits && Number(credits) > 0));
});

test("in a team's project, only the member who asked can approve a call", async () => {
  const [boss, member] = await Promise.all([signUp(), signUp()]);
  const team_id = crypto.randomUUID();
  await withDatabase(async (sql) => {
    await sql`insert into teams (id, name) values (${team_id}, 'T')`;
    await sql`insert into team_members (team_id, user_id, role) values
      (${team_id}, ${boss.id}, 'owner'), (${team_id}, ${member.id}, 'member')`;
    await sql`select grant_credits(team_id => ${team_id}, amount => 50)`;
  });
  const project = await boss.client.from("projects")
    .insert({ user_id: boss.id, team_id, title: "P" }).select("id").single();
  const place = { project_id: String(project.data?.id) };
  const message = approved(await askToRename(member, place));
  const refused = await ask(boss, { ...place, message, parameters });
  assert.ok([403, 409].includes(refused.status), JSON.stringify(refused.body));
  const { status, body } = await ask(member, { ...place, message, parameters });
  assert.equal(status, 200, JSON.stringify(body));
  const call = body.message.content.find(({ type }: { type: string }) => type.startsWith("tool-"));
  assert.equal(
    call.errorText,
    "This answer is in a project, so there is no conversation to rename",
  );
  await boss.client.from("projects").delete().eq("id", place.project_id);
});

test("an approval does not outlive its message, its conversation or an edit of the call", async () => {
  const user = await signUp();
  // Another conversation.
  const first = await askToRename(user, { id: "one" });
  await askToRename(user, { id: "two" });
  const elsewhere = await ask(user, { id: "two", message: approved(first), parameters });
  assert.equal(elsewhere.status, 404, JSON.stringify(elsewhere.body));
  // A new answer to the same question.
  const again = await ask(user, { id: "one", trigger: "regenerate-message", parameters });
  assert.equal(again.status, 200, JSON.stringify(again.body));
  const replaced = await ask(user, { id: "one", message: approved(first), parameters });
  assert.equal(replaced.status, 404, JSON.stringify(replaced.body));
  // The call, edited by the user after the request, or approved by an edit.
  const second: Waiting = { ...again.body.message, parts: again.body.message.content };
  const edits = [["Lakes", "Rivers"], ["approval-requested", "approval-responded"]] as const;
  for (const [from, to] of edits) {
    const content = JSON.parse(JSON.stringify(second.parts).replace(from, to));
    const edited = await user.client.from("messages").update({ content }).eq("id", second.id)
      .select("id");
    assert.deepEqual([edited.error, edited.data?.length], [null, 1]);
    const message = approved({ ...second, parts: from === "Lakes" ? content : second.parts });
    const refused = await ask(user, { id: "one", message, parameters });
    assert.ok([409, 422].includes(refused.status), JSON.stringify(refused.body));
  }
  assert.match(await titleOf(user, "one"), /^\[call/);
  assert.match(await titleOf(user, "two"), /^\[call/);
});

test("an answer that goes on after an approval can be resumed from each of its events, without gap or double", async () => {
  const user = await signUp();
  const message = approved(await askToRename(user, { id: "chat" }));
  const { events: live } = await readEvents(await post(user, { id: "chat", message, parameters }));
  const { answers } = await booksOf(user);
  const id = String(answers.at(-1)!.id);
  for (const [index, event] of live.entries()) {
    if (event.chunk.type === "text-delta") continue;
    const { events } = await readEvents(await resume(user, id, event.id));
    const rest = (list: typeof live) =>
      JSON.stringify(
        list.map(({ chunk }) => chunk).filter(({ type }) => type !== "text-delta"),
      );
    assert.equal(rest(events), rest(live.slice(index + 1)), event.id);
  }
  const whole = await readChunks(await resume(user, id));
  assert.ok(whole.some(({ type }) => type === "tool-output-available"));
});

test("an answer whose message went on is replayed as it was, from its beginning and from each of its events", async () => {
  const user = await signUp();
  const both = { ...parameters, tools: [{ name: "clock" }] };
  const message = `${text} [call search_messages {"query":"x"}] [call clock {}]`;
  const asked = { id: "chat", parameters: both };
  const { events: first } = await readEvents(await post(user, { ...asked, message }));
  const { answers: [waiting] } = await booksOf(user);
  const parts = (waiting!.content as (Waiting["parts"][number] & { toolCallId?: string })[]).map(
    (part) =>
      part.type === "tool-clock" ? { ...part, state: "output-available", output: "noon" } : part,
  );
  const answered = approved({ id: String(waiting!.message_id), role: "assistant", parts });
  const { events: second } = await readEvents(await post(user, { ...asked, message: answered }));
  assert.equal(second.at(-1)?.chunk.type, "finish");
  const { answers } = await booksOf(user);
  const outline = (list: typeof first) =>
    list.map(({ id, chunk }) => [id, chunk]).filter(([, chunk]) =>
      !/-delta$/.test((chunk as { type: string }).type)
    );
  for (const [n, live] of [first, second].entries()) {
    const id = String(answers[n]!.id);
    for (const [index, event] of live.entries()) {
      if (event.chunk.type.endsWith("-delta")) continue;
      const { events } = await readEvents(await resume(user, id, event.id));
      assert.deepEqual(outline(events), outline(live.slice(index + 1)), event.id);
    }
  }
  const { events } = await readEvents(await resume(user, String(answers[0]!.id)));
  assert.deepEqual(outline(events), outline(first));
});
