import assert from "node:assert/strict";
import { SignJWT } from "jose";
import type { Sql } from "postgres";

import { signUp, stack, test, until } from "../../supabase/functions/_testing/testing.ts";
import { listen, listenToChanges, start, withNotes, withRealtime } from "./testing.ts";

/** Runs a test with policies: users may listen to and use the topic that is their id, and only listen to `news`. */
async function withPolicies(sql: Sql, run: () => Promise<void>): Promise<void> {
  await sql.unsafe(`
    create policy "test: users listen to their topic" on realtime.messages for select to authenticated
      using (realtime.topic() in ((select auth.uid())::text, 'news'));
    create policy "test: users use their topic" on realtime.messages for insert to authenticated
      with check (realtime.topic() = (select auth.uid())::text);
  `).simple();
  try {
    await run();
  } finally {
    await sql.unsafe(`
      drop policy "test: users listen to their topic" on realtime.messages;
      drop policy "test: users use their topic" on realtime.messages;
    `).simple();
  }
}

/** A token of a user that is valid for some seconds. */
async function tokenOf(id: string, seconds: number): Promise<string> {
  return await new SignJWT({ sub: id, role: "authenticated" })
    .setProtectedHeader({ alg: "HS256" })
    .setExpirationTime(Math.floor(Date.now() / 1000) + seconds)
    .sign(new TextEncoder().encode(stack.jwtSecret));
}

test("a broadcast reaches the others in the channel, and its sender only if it asks for that", async () => {
  await withRealtime(async (_sql, connect) => {
    const topic = crypto.randomUUID();
    const hear = (options: Parameters<typeof listen>[2]) =>
      listen(connect(), topic, options, (channel, heard) => {
        channel.on("broadcast", { event: "*" }, (message) => heard.push(message));
      });
    const [plain, echoing, binary] = await Promise.all([
      hear({ broadcast: { ack: true } }),
      hear({ broadcast: { self: true, ack: true } }),
      hear({}),
    ]);
    const message = { type: "broadcast" as const, event: "größe", payload: { x: [1, "ü"] } };
    assert.equal(await echoing.channel.send(message), "ok");
    await until(() => [plain, echoing, binary].every(({ events }) => events.length === 1));
    assert.deepEqual(plain.events[0], message);
    assert.equal(await plain.channel.send({ ...message, payload: { n: 2 } }), "ok");
    await until(() => echoing.events.length === 2 && binary.events.length === 2);
    assert.equal(plain.events.length, 1);
    await binary.channel.send({ ...message, payload: Uint8Array.of(0, 255, 7).buffer });
    await until(() => plain.events.length === 2);
    assert.deepEqual(new Uint8Array(plain.events[1].payload), Uint8Array.of(0, 255, 7));
    const large = { ...message, payload: { text: "x".repeat(3_500_000) } };
    assert.equal(await plain.channel.send(large), "error");
  });
});

test("a broadcast over HTTP reaches the channel", async () => {
  await withRealtime(async (sql, connect) => {
    await withPolicies(sql, async () => {
      const ada = await signUp();
      const hers = await listen(connect(ada.token), ada.id, { private: true }, (channel, heard) => {
        channel.on("broadcast", { event: "*" }, (message) => heard.push(message.payload));
      });
      const sender = connect(ada.token).channel(ada.id, { config: { private: true } });
      assert.deepEqual(await sender.httpSend("one", { n: 1 }), { success: true });
      // Before it has joined, the client sends over HTTP.
      assert.equal(await sender.send({ type: "broadcast", event: "two", payload: { n: 2 } }), "ok");
      const stranger = connect((await signUp()).token).channel(ada.id, {
        config: { private: true },
      });
      await stranger.httpSend("three", { n: 3 });
      await assert.rejects(sender.httpSend("x".repeat(256), { n: 0 }), /at most 255/);
      await sender.httpSend("four", { n: 4 });
      await until(() => hers.events.length >= 3);
      assert.deepEqual(hers.events, [{ n: 1 }, { n: 2 }, { n: 4 }]);
    });
  });
});

test("members of a channel see who is there, who joins, changes and leaves", async () => {
  await withRealtime(async (_sql, connect) => {
    const topic = crypto.randomUUID();
    const be = (key: string) =>
      listen(connect(), topic, { presence: { key } }, (channel, heard) => {
        channel.on("presence", { event: "sync" }, () => heard.push(["sync"]))
          .on(
            "presence",
            { event: "join" },
            ({ key, newPresences }) => heard.push(["join", key, newPresences[0]?.mood]),
          )
          .on(
            "presence",
            { event: "leave" },
            ({ key, leftPresences }) => heard.push(["leave", key, leftPresences[0]?.mood]),
          );
      });
    const ada = await be("ada");
    assert.equal(await ada.channel.track({ mood: "good" }), "ok");
    const odd = await be("constructor");
    assert.equal(await odd.channel.track({ mood: "odd" }), "ok");
    await odd.channel.socket.disconnect();
    const [bob, tab] = [await be("bob"), await be("ada")];
    const moods = () =>
      Object.fromEntries(
        Object.entries(bob.channel.presenceState<{ mood: string }>()).map(([key, metas]) => [
          key,
          metas.map(({ mood }) => mood),
        ]),
      );
    await until(() => moods().ada?.length === 1);
    await bob.channel.track({ mood: "new" });
    await tab.channel.track({ mood: "second tab" });
    await ada.channel.track({ mood: "better" });
    await until(() => JSON.stringify(moods().ada?.sort()) === '["better","second tab"]');
    assert.deepEqual(moods().bob, ["new"]);
    assert.equal(await ada.channel.untrack(), "ok");
    await until(() => moods().ada?.length === 1);
    // A connection that breaks off leaves too.
    await tab.channel.socket.disconnect();
    await until(() => !("ada" in moods()));
    assert.ok(
      bob.events.some(([what, key, mood]) =>
        what === "leave" && key === "ada" && mood === "second tab"
      ),
    );
    assert.ok(
      ada.events.some(([what, key, mood]) => what === "join" && key === "bob" && mood === "new"),
    );
    assert.ok(ada.events.some(([what]) => what === "sync"));
  });
});

test("only those may join a private channel whom a policy lets, and do in it what it lets", async () => {
  await withRealtime(async (sql, connect) => {
    await withPolicies(sql, async () => {
      const [ada, bob] = [await signUp(), await signUp()];
      const refused = await start(connect(bob.token), ada.id, { private: true });
      const nobody = await start(connect(), ada.id, { private: true });
      await until(() => refused.errors.length > 0 && nobody.errors.length > 0);
      const reason =
        `Unauthorized: You do not have permissions to read from this Channel topic: ${ada.id}`;
      assert.deepEqual([refused.errors[0], nobody.errors[0]], [reason, reason]);
      // A public channel of the same name has nothing to do with it.
      const hear = (client: ReturnType<typeof connect>, topic: string, isPrivate: boolean) =>
        listen(
          client,
          topic,
          { private: isPrivate, broadcast: { ack: true } },
          (channel, heard) => {
            channel.on("broadcast", { event: "*" }, (message) => heard.push(message.payload.n));
          },
        );
      const [one, two] = [
        await hear(connect(ada.token), ada.id, true),
        await hear(connect(ada.token), ada.id, true),
      ];
      const open = await hear(connect(bob.token), ada.id, false);
      await open.channel.send({ type: "broadcast", event: "x", payload: { n: 0 } });
      await one.channel.send({ type: "broadcast", event: "x", payload: { n: 1 } });
      await until(() => two.events.length > 0);
      assert.deepEqual([two.events, open.events], [[1], []]);
      // A listener that may not send is not heard, and may not be present.
      const [reader, other] = [
        await hear(connect(ada.token), "news", true),
        await hear(connect(bob.token), "news", true),
      ];
      assert.equal(await reader.channel.track({ mood: "x" }), "error");
      reader.channel.send({ type: "broadcast", event: "x", payload: { n: 2 } });
      await sql`select realtime.send('{"n": 3}', 'x', 'news', true)`;
      await until(() => other.events.length > 0);
      assert.deepEqual(other.events, [3]);
      await refused.channel.unsubscribe();
      await nobody.channel.unsubscribe();
    });
  });
});

test("the database sends to channels, when its transaction commits", async () => {
  await withRealtime(async (sql, connect) => {
    await withPolicies(sql, async () => {
      await withNotes(async (table) => {
        const ada = await signUp();
        const hear = (isPrivate: boolean) =>
          listen(connect(ada.token), ada.id, { private: isPrivate }, (channel, heard) => {
            channel.on("broadcast", { event: "*" }, (message) => heard.push(message));
          });
        const [hidden, open] = [await hear(true), await hear(false)];
        await sql.begin(async (transaction) => {
          await transaction`select realtime.send('{"n": 1}', 'one', ${ada.id})`;
          throw new Error("rolled back");
        }).catch(() => {});
        await sql`select realtime.send('{"n": 2}', 'two', ${ada.id})`;
        await sql`select realtime.send('{"n": 3}', 'three', ${ada.id}, false)`;
        await sql.unsafe(`
          create function public.${table}_changed() returns trigger language plpgsql as $$
          begin
            perform realtime.broadcast_changes('${ada.id}', tg_op, tg_op, tg_table_name, tg_table_schema, new, old);
            return null;
          end $$;
          create trigger changed after insert on public.${table} for each row execute function public.${table}_changed();
          insert into public.${table} (id, owner_id, title) values (7, '${ada.id}', 'x');
        `).simple();
        await until(() => hidden.events.length === 2 && open.events.length === 1);
        assert.deepEqual([open.events[0].event, open.events[0].payload.n], ["three", 3]);
        const [two, insert] = hidden.events;
        assert.deepEqual([two.event, two.payload], ["two", { n: 2, id: two.meta.id }]);
        const { operation, record, old_record, schema } = insert.payload;
        assert.deepEqual(
          [insert.event, operation, record.title, old_record, insert.payload.table, schema],
          ["INSERT", "INSERT", "x", null, table, "public"],
        );
        await sql.unsafe(`drop function public.${table}_changed() cascade`);
      });
    });
  });
});

test("a channel ends when its token expires, and a new token in time keeps it", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const expired = await start(connect(await tokenOf(ada.id, -10)), "x", {});
      await until(() => expired.errors.length > 0);
      assert.match(expired.errors[0] ?? "", /InvalidJWTToken: Token has expired \d+ seconds ago/);
      await expired.channel.unsubscribe();

      // The tokens live several times as long as a client needs to join, however busy the machine is.
      const begun = performance.now();
      await listenToChanges(connect(ada.token), table);
      const seconds = 3 + Math.ceil(10 * (performance.now() - begun) / 1000);
      const ending = await listenToChanges(connect(await tokenOf(ada.id, seconds)), table);
      let token = await tokenOf(ada.id, seconds);
      const renewing = connect(() => token);
      const kept = await listenToChanges(renewing, table);
      token = await tokenOf(ada.id, 600);
      await renewing.realtime.setAuth();
      await until(() => ending.statuses.includes("CLOSED"));
      assert.match(ending.system.at(-1)?.message ?? "", /Token has expired/);
      await sql`insert into public.${sql(table)} (id, owner_id) values (1, ${ada.id})`;
      await until(() => kept.events.length === 1);
      assert.deepEqual([kept.statuses, ending.events], [["SUBSCRIBED"], []]);
    });
  });
});

test("with another user's token, a channel hears what that user may, or ends", async () => {
  await withRealtime(async (sql, connect) => {
    await withPolicies(sql, async () => {
      await withNotes(async (table) => {
        const [ada, bob] = [await signUp(), await signUp()];
        let token = ada.token;
        const client = connect(() => token);
        const changes = await listenToChanges(client, table);
        const hers = await listen(client, ada.id, { private: true }, () => {});
        token = bob.token;
        await client.realtime.setAuth();
        await until(() => hers.statuses.includes("CLOSED") && changes.system.length === 2);
        assert.equal(
          hers.system.at(-1)?.message,
          `Unauthorized: You do not have permissions to read from this Channel topic: ${ada.id}`,
        );
        await sql`insert into public.${sql(table)} (id, owner_id)
          values (1, ${ada.id}), (2, ${bob.id})`;
        await until(() => changes.events.length > 0);
        assert.deepEqual(changes.events.map((change) => change.new.id), [2]);
      });
    });
  });
});
