import assert from "node:assert/strict";

import { createClient, type RealtimeChannel, type SupabaseClient } from "@supabase/supabase-js";

import { signUp, stack, test, type TestUser, until } from "../_testing/testing.ts";
import { ask, booksOf, post, readEvents, stop } from "./answers_testing.ts";

/** What a channel has heard. */
interface Heard {
  // deno-lint-ignore no-explicit-any -- payloads of Realtime
  events: any[];
  status: string;
  system: { status: string }[];
}

/** Runs a test with Realtime clients of users, and disconnects them. */
async function withListeners(
  run: (
    listen: (
      user: TestUser,
      topic: string,
      add: (of: RealtimeChannel, to: Heard) => void,
    ) => Promise<Heard>,
  ) => Promise<void>,
): Promise<void> {
  const clients: SupabaseClient[] = [];
  try {
    await run(async (user, topic, add) => {
      const client = createClient(stack.url, stack.publishableKey, {
        auth: { persistSession: false, autoRefreshToken: false },
        accessToken: () => Promise.resolve(user.token),
      });
      clients.push(client);
      await client.realtime.setAuth();
      const channel = client.channel(topic, { config: { private: topic.includes(":") } });
      const heard: Heard = { events: [], status: "", system: [] };
      add(channel, heard);
      channel.on("system", {}, (message) => heard.system.push(message));
      channel.subscribe((status) => heard.status = status);
      // After TIMED_OUT, the client tries again.
      await until(() => ["SUBSCRIBED", "CHANNEL_ERROR"].includes(heard.status));
      return heard;
    });
  } finally {
    for (const client of clients) await client.realtime.disconnect();
  }
}

const changesOf = (table: string) => (channel: RealtimeChannel, { events }: Heard) =>
  channel.on(
    "postgres_changes" as "system",
    { event: "*", schema: "public", table },
    (change) => events.push(change),
  );
const wakeUps = (channel: RealtimeChannel, { events }: Heard) =>
  channel.on("broadcast", { event: "*" }, (message) => events.push(message));

test("Realtime tells the owner that an answer has begun and ended, and nobody what it says", async () => {
  const [user, stranger] = [await signUp(), await signUp()];
  await withListeners(async (listen) => {
    for (const table of ["answer_parts", "answers", "replaced_messages"]) {
      const { events, system } = await listen(user, `${table}-changes`, changesOf(table));
      await until(() => system.length > 0);
      assert.deepEqual([system[0]?.status, events], ["error", []], table);
    }
    const others = await listen(stranger, "others", changesOf("messages"));
    const owns = await listen(user, "owns", changesOf("messages"));
    await until(() => others.system.length > 0 && owns.system.length > 0);
    const refused = await listen(stranger, `user:${user.id}`, wakeUps);
    assert.equal(refused.status, "CHANNEL_ERROR");
    const woken = await listen(user, `user:${user.id}`, wakeUps);
    assert.equal(woken.status, "SUBSCRIBED");

    const { body } = await ask(user, { id: "chat", message: "Hello [words=30]" });
    assert.equal(body.answer.state, "complete");
    const updates = () =>
      woken.events.filter(({ event, payload }) =>
        event === "messages" && payload.operation === "update" &&
        payload.conversation_id === body.answer.conversation_id
      );
    await until(() => updates().length > 0);
    assert.ok(!JSON.stringify(woken.events).includes("answer comes from"));
    // The owner's own query would show the message, and so may its change.
    await until(() => JSON.stringify(owns.events).includes("answer comes from"));

    // A stop wakes the other devices, too.
    const before = updates().length;
    const response = await post(user, { id: "chat", message: "[words=2000]" });
    let stopping: Promise<Response> | undefined;
    await readEvents(response, ({ chunk }) => {
      if (chunk.type === "text-delta") stopping ??= stop(user, "chat");
      return false;
    });
    await (await stopping)?.body?.cancel();
    await until(() => updates().length > before);
    assert.equal((await booksOf(user)).answers.at(-1)?.state, "stopped");
    // Whoever may not read a message hears nothing of it, not even that it is there.
    assert.deepEqual(others.events, []);
  });
});
