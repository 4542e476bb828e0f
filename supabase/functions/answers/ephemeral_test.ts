import assert from "node:assert/strict";

import { signUp, stack, test, until, withDatabase } from "../_testing/testing.ts";
import {
  ask,
  booksOf,
  Chat,
  post,
  readChunks,
  readEvents,
  resume,
  textIn,
  textOf,
} from "./answers_testing.ts";

const PATH = "/ephemeral";

/** A word that nobody else writes. */
const newSecret = () => `secret${crypto.randomUUID().replaceAll("-", "")}`;

/** Looks for a text in every row of the database, and in what the functions logged. */
async function findEverywhere(text: string): Promise<string[]> {
  const log = await Deno.readTextFile(`${stack.dir}/functions.log`);
  const found = log.includes(text) ? ["the log"] : [];
  await withDatabase(async (sql) => {
    const tables = await sql`
      select format('%I.%I', n.nspname, c.relname) as name from pg_class as c
      join pg_namespace as n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname in ('public', 'private', 'auth', 'storage', 'realtime')
        and has_table_privilege(c.oid, 'select')`;
    assert.ok(tables.length > 60);
    for (const { name } of tables) {
      const [row] = await sql.unsafe(
        `select 1 from ${name} as t where strpos(t::text, $1) > 0 limit 1`,
        [text],
      );
      if (row) found.push(name);
    }
  });
  return found;
}

test("an ephemeral answer streams like any other, is charged by tokens, and leaves nothing else", async () => {
  const user = await signUp();
  const secret = newSecret();
  const parts = [{ type: "text", text: `${secret} [words=30]` }];
  const messages = [{ role: "system", parts: [{ type: "text", text: `Be brief ${secret}` }] }, {
    id: "m",
    role: "user",
    parts,
  }];
  const chunks = await readChunks(await post(user, { messages }, { path: PATH }));
  assert.equal(textIn(chunks).split(" ").length, 30);
  const whole = await ask(user, { messages }, {}, PATH);
  assert.equal(whole.body.text, textIn(chunks));
  assert.equal(whole.body.message, null);
  assert.deepEqual((await user.client.from("messages").select("id")).data, []);

  // A provider that fails says so in the log, and nothing of what it was asked.
  const failed = await ask(
    user,
    { messages: [{ role: "user", parts: [{ type: "text", text: `${secret} [refuse]` }] }] },
    {},
    PATH,
  );
  assert.deepEqual([failed.status, failed.body.code], [422, "provider_refused"]);
  const malformed = await ask(user, { messages, parameters: { [secret]: 1 } }, {}, PATH);
  assert.equal(malformed.status, 422);
  assert.deepEqual(await findEverywhere(secret), []);

  const { answers, charged, open, problems } = await booksOf(user);
  assert.deepEqual(
    answers.map((
      { state, output_tokens, message_id, conversation_id },
    ) => [state, output_tokens, message_id, conversation_id]),
    [
      ["complete", "30", null, null],
      ["complete", "30", null, null],
      ["failed", "0", null, null],
    ],
  );
  assert.equal(charged, Number(answers[0]!.credits) * 2);
  assert.deepEqual([open, problems], [0, 0]);

  // The same search finds what is stored.
  await ask(user, { message: secret });
  assert.ok((await findEverywhere(secret)).includes("public.messages"));
});

test("an ephemeral answer ends when its client goes, and cannot be followed", async () => {
  const user = await signUp();
  const gone = new AbortController();
  const messages = [{ role: "user", parts: [{ type: "text", text: "[words=2000]" }] }];
  const response = await post(user, { messages }, { path: PATH, signal: gone.signal });
  const { events } = await readEvents(response, ({ chunk }) => chunk.type === "text-delta");
  const id = events[0]!.id.split("/")[0]!;
  assert.equal((await resume(user, id)).status, 204);
  gone.abort();
  await until(async () => (await booksOf(user)).answers[0]?.state === "stopped");
  const { answers: [answer], charged } = await booksOf(user);
  assert.ok(Number(answer!.output_tokens) < 2000);
  assert.ok(charged > 0 && charged === answer!.credits);
});

test("useChat works with ephemeral answers", async () => {
  const user = await signUp();
  const chat = new Chat(user, {}, PATH);
  await chat.sendMessage({ text: "Hello [words=3]" });
  await chat.sendMessage({ text: "Again [words=4]" });
  assert.equal(chat.status, "ready", String(chat.error));
  assert.equal(textOf(chat.messages[3]), "This answer comes from");
});
