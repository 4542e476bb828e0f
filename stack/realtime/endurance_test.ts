import assert from "node:assert/strict";
import postgres from "postgres";

import { untilAnswering } from "../../supabase/functions/_testing/checkout.ts";
import { signUp, soak, stack, test, until } from "../../supabase/functions/_testing/testing.ts";
import { listen, listenToChanges, withNotes, withRealtime } from "./testing.ts";

const SUBSCRIBERS = 100;
const CHANGES = 100 * soak;

/** Users on as many connections each: two browsers. */
const USERS = 10;

test("a hundred subscribers get every change of a hundred once, and those of a row in order", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const users = await Promise.all(Array.from({ length: USERS }, () => signUp()));
      const clients = users.flatMap(({ token }) => [connect(token), connect(token)]);
      const heard = await Promise.all(
        Array.from(
          { length: SUBSCRIBERS },
          (_, i) => listenToChanges(clients[i % clients.length]!, table, { event: "UPDATE" }),
        ),
      );
      await sql.unsafe(
        `create policy "all may read all" on public.${table} for select to authenticated using (true)`,
      );
      await sql`insert into public.${sql(table)} (id, owner_id, amount)
        select n, ${users[0]!.id}, 0 from generate_series(1, 4) as n`;
      // Several writers, so that commits do not come in the order of their beginnings.
      await Promise.all([1, 2].map(async (writer) => {
        for (let n = 1; n <= CHANGES / 2; n++) {
          await sql`update public.${sql(table)} set amount = amount + 1 where id = ${
            writer + 2 * (n % 2)
          }`;
        }
      }));
      await until(() => heard.every(({ events }) => events.length >= CHANGES));
      for (const { events } of heard) {
        const amounts = [1, 2, 3, 4].map((id) =>
          events.filter((change) => change.new.id === id).map((change) => change.new.amount)
        );
        for (const of of amounts) {
          assert.deepEqual(of, Array.from({ length: CHANGES / 4 }, (_, i) => i + 1));
        }
      }
    });
  });
});

test("after PostgreSQL was killed, clients join again by themselves, and hear again", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const client = connect(ada.token);
      const changes = await listenToChanges(client, table);
      const open = await listen(client, "open", {}, (channel, heard) => {
        channel.on("broadcast", { event: "*" }, ({ payload }) => heard.push(payload.n));
      });
      const admin = postgres(stack.adminDbUrl, { max: 1 });
      // Stacks of tests do not wait for the disk.
      await admin`checkpoint`;
      const [row] = await admin`
        select pid from pg_stat_activity where application_name = 'realtime' limit 1`;
      await admin.end();
      Deno.kill(row?.pid, "SIGKILL");
      await until(() => changes.statuses.includes("CHANNEL_ERROR"));
      await until(() => [changes, open].every(({ statuses }) => statuses.at(-1) === "SUBSCRIBED"));
      await untilAnswering(stack);
      await sql`insert into public.${sql(table)} (id, owner_id) values (1, ${ada.id})`;
      await sql`select realtime.send('{"n": 1}', 'x', 'open', false)`;
      await until(() => changes.events.length > 0 && open.events.length > 0);
      assert.deepEqual(changes.events.map((change) => change.new.id), [1]);
      assert.deepEqual(open.events, [1]);
    });
  });
});

test("malformed and large frames end their own connection, and no other", async () => {
  await withRealtime(async (_sql, connect) => {
    const { events, channel, statuses } = await listen(
      connect(),
      "calm",
      { broadcast: { self: true } },
      (channel, heard) => channel.on("broadcast", { event: "*" }, () => heard.push("heard")),
    );
    const url = `${stack.url.replace("http", "ws")}/realtime/v1/websocket`;
    const bad: (string | Uint8Array<ArrayBuffer>)[] = [
      "",
      "x",
      "null",
      "[]",
      "{}",
      "[1,2,3,4,5]",
      new Uint8Array(),
      Uint8Array.of(9, 9, 9),
      Uint8Array.of(3, 255, 255, 255, 255, 255, 1, 0),
      "x".repeat(6_000_000),
    ];
    for (const version of ["1.0.0", "2.0.0"]) {
      for (const frame of bad) {
        const socket = new WebSocket(`${url}?apikey=${stack.publishableKey}&vsn=${version}`);
        const closed = new Promise<CloseEvent>((resolve) => socket.onclose = resolve);
        socket.onopen = () => socket.send(frame);
        assert.ok((await closed).code >= 1000);
      }
    }
    // Nonsense that is well-formed is answered.
    const socket = new WebSocket(`${url}?apikey=${stack.publishableKey}&vsn=2.0.0`);
    const answers: unknown[] = [];
    socket.onmessage = ({ data }) => answers.push(JSON.parse(data)[4]);
    await new Promise((resolve) => socket.onopen = resolve);
    const config = { postgres_changes: "x", presence: 1, broadcast: null, private: "yes" };
    for (
      const message of [
        ["1", "1", "realtime:", "phx_join", {}],
        ["1", "2", "realtime:x", "broadcast", {}],
        ["1", "3", "other", "phx_join", {}],
        [null, "4", "phoenix", "heartbeat", {}],
        ["5", "5", "realtime:x", "phx_join", { config, access_token: "x" }],
        ["6", "6", "realtime:x", "phx_join", { config }],
      ]
    ) socket.send(JSON.stringify(message));
    await until(() => answers.length === 6);
    assert.deepEqual(
      // deno-lint-ignore no-explicit-any -- whatever the server sent
      answers.map((answer: any) => answer.response.reason ?? answer.status).sort(),
      [
        "MalformedJWT: The token provided is not a valid JWT",
        "TopicNameRequired: You must provide a topic name",
        "Unknown Error on Channel",
        "ok",
        "unmatched topic",
        "unmatched topic",
      ],
    );
    socket.close();
    assert.equal((await fetch(`${stack.url}/realtime/v1/websocket?apikey=x`)).status, 401);
    await channel.send({ type: "broadcast", event: "x", payload: {} });
    await until(() => events.length === 1);
    assert.deepEqual(statuses, ["SUBSCRIBED"]);
  });
});

test("nothing is left of a subscriber that has gone: no slot, no replication", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const first = await listenToChanges(connect(ada.token), table);
      // One for the changes and one for the messages; those of a connection that has just ended can still be there.
      await until(async () => {
        const slots =
          await sql`select temporary from pg_replication_slots where slot_name like 'realtime_%'`;
        assert.ok(slots.every(({ temporary }) => temporary));
        return slots.length === 2;
      });
      await first.channel.unsubscribe();
      // Leaving and joining again hears only once.
      const second = await listenToChanges(connect(ada.token), table);
      await sql`insert into public.${sql(table)} (id, owner_id) values (1, ${ada.id})`;
      await until(() => second.events.length > 0);
      assert.deepEqual([first.events.length, second.events.length], [0, 1]);
    });
  });
});
