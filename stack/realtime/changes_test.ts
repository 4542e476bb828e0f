import assert from "node:assert/strict";

import { serviceClient, signUp, test, until } from "../../supabase/functions/_testing/testing.ts";
import { listenToChanges, start, withNotes, withRealtime } from "./testing.ts";

test("a change has the values, types and names that the platform sends", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const { events, system } = await listenToChanges(connect(ada.token), table);
      const begun = Date.now();
      // Row level security is asked after the change, so each is awaited.
      await sql`insert into public.${sql(table)} values (1, ${ada.id}, 'Größe', 1.50,
        '2026-11-27 12:00:00.123456+01', '{a,"b c"}', '{"x": [1, null]}', 'secret', true)`;
      await until(() => events.length === 1);
      await sql`update public.${sql(table)} set title = null where id = 1`;
      await until(() => events.length === 2);
      await sql`delete from public.${sql(table)} where id = 1`;
      await until(() => events.length === 3);
      const [insert, update, deletion] = events;
      assert.deepEqual(insert, {
        schema: "public",
        table,
        eventType: "INSERT",
        commit_timestamp: insert.commit_timestamp,
        errors: null,
        old: {},
        new: {
          id: 1,
          owner_id: ada.id,
          title: "Größe",
          amount: 1.5,
          at: "2026-11-27T11:00:00.123456+00:00",
          tags: ["a", "b c"],
          data: { x: [1, null] },
          done: true,
        },
      });
      assert.match(insert.commit_timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
      const committed = Date.parse(insert.commit_timestamp);
      assert.ok(begun <= committed && committed <= Date.now());
      assert.equal(update.eventType, "UPDATE");
      assert.deepEqual([update.old, update.new.title], [{ id: 1 }, null]);
      assert.deepEqual([deletion.eventType, deletion.old, deletion.new], ["DELETE", { id: 1 }, {}]);
      assert.deepEqual(
        system.map(({ extension, status, message }) => [extension, status, message]),
        [["postgres_changes", "ok", "Subscribed to PostgreSQL"]],
      );
    });
  });
});

test("a subscriber hears of the rows that a query would show it, and of no others", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const [ada, bob] = [await signUp(), await signUp()];
      const hers = await listenToChanges(connect(ada.token), table);
      const his = await listenToChanges(connect(bob.token), table);
      const nobodys = await listenToChanges(connect(), table);
      await sql`alter table public.${sql(table)} replica identity full`;
      await sql`insert into public.${sql(table)} (id, owner_id, title, secret)
        values (1, ${ada.id}, 'a', 's'), (2, ${bob.id}, 'b', 's')`;
      await until(() => hers.events.length > 0 && his.events.length > 0);
      // The row becomes another's. Not even its old values are for him.
      await sql`update public.${sql(table)} set owner_id = ${bob.id} where id = 1`;
      await until(() => his.events.length === 2);
      await sql`delete from public.${sql(table)} where id = 2`;
      await until(() => hers.events.length === 2 && his.events.length === 3);
      const seen = ({ events }: typeof hers) =>
        events.map((change) => [change.eventType, change.new.id, change.old]);
      assert.deepEqual(seen(hers), [["INSERT", 1, {}], ["DELETE", undefined, { id: 2 }]]);
      assert.deepEqual(seen(his), [
        ["INSERT", 2, {}],
        ["UPDATE", 1, { id: 1 }],
        ["DELETE", undefined, { id: 2 }],
      ]);
      // anon may not read the primary key, and is told so. Of a deleted row there is nothing that it may read.
      await until(() => nobodys.events.length === 4);
      assert.deepEqual(
        nobodys.events.map((change) => [change.eventType, change.new, change.old, change.errors]),
        [
          ["INSERT", {}, {}, ["Error 401: Unauthorized"]],
          ["INSERT", {}, {}, ["Error 401: Unauthorized"]],
          ["UPDATE", {}, {}, ["Error 401: Unauthorized"]],
          ["DELETE", {}, {}, null],
        ],
      );
      assert.ok(
        ![hers, his, nobodys].some(({ events }) => JSON.stringify(events).includes("secret")),
      );
    });
  });
});

test("filters let through what they say, with each operator", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const client = connect(ada.token);
      const expected: Record<string, number[]> = {
        "id=eq.2": [2],
        "id=neq.2": [1, 3],
        "id=gt.1": [2, 3],
        "id=gte.2": [2, 3],
        "id=lt.2": [1],
        "id=lte.2": [1, 2],
        "title=in.(one,three)": [1, 3],
        "title=like.t%": [2, 3],
        "title=ilike.T%": [2, 3],
        "title=match.^t.o$": [2],
        "title=not.like.t%": [1],
        "done=is.null": [3],
        "done=is.true": [1],
        "amount=gt.9.5": [3],
        [`owner_id=eq.${ada.id}`]: [1, 2, 3],
        "id=gt.1,title=eq.two": [2],
      };
      const heard = await Promise.all(
        Object.keys(expected).map((filter) => listenToChanges(client, table, { filter })),
      );
      const all = await listenToChanges(client, table, { event: "INSERT" });
      await sql`insert into public.${sql(table)} (id, owner_id, title, amount, done) values
        (1, ${ada.id}, 'one', 1, true), (2, ${ada.id}, 'two', 9, false), (3, ${ada.id}, 'three', 10, null)`;
      // Each channel is told by a message of its own, in whatever order.
      await until(() =>
        all.events.length === 3 &&
        Object.values(expected).every((ids, i) => (heard[i]?.events.length ?? 0) >= ids.length)
      );
      const got = Object.keys(expected).map((filter, i) => [
        filter,
        heard[i]?.events.map((change) => change.new.id),
      ]);
      assert.deepEqual(Object.fromEntries(got), expected);
    });
  });
});

test("a channel gets only the events that it asked for", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const client = connect(ada.token);
      const [inserts, updates, deletions, all] = await Promise.all(
        ["INSERT", "UPDATE", "DELETE", "*"].map((event) =>
          listenToChanges(client, table, { event })
        ),
      );
      await sql`insert into public.${sql(table)} (id, owner_id) values (1, ${ada.id})`;
      await until(() => all?.events.length === 1);
      await sql`update public.${sql(table)} set id = 2`;
      await until(() => all?.events.length === 2);
      await sql`delete from public.${sql(table)}`;
      await until(() => all?.events.length === 3);
      // Each channel is told by a message of its own, in whatever order.
      await until(() => [inserts, updates, deletions].every((heard) => heard?.events.length));
      const types = [inserts, updates, deletions].map((heard) =>
        heard?.events.map((change) =>
          [change.eventType, change.new, change.old].map((value) =>
            typeof value === "string" ? value : value.id
          )
        )
      );
      assert.deepEqual(types, [
        [["INSERT", 1, undefined]],
        [["UPDATE", 2, 1]],
        [["DELETE", undefined, 2]],
      ]);
    });
  });
});

test("the service hears of all rows and columns", async () => {
  await withRealtime(async (sql) => {
    await withNotes(async (table) => {
      await sql.unsafe(`grant select on public.${table} to service_role`);
      const client = serviceClient();
      const { events } = await listenToChanges(client as never, table);
      await sql`insert into public.${
        sql(table)
      } (id, owner_id, secret) values (1, gen_random_uuid(), 's')`;
      await until(() => events.length === 1);
      assert.equal(events[0].new.secret, "s");
      await client.realtime.disconnect();
    });
  });
});

test("a subscription that cannot be is refused with the reason", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const client = connect(ada.token);
      await sql.unsafe(`create table public.${table}_unpublished (id integer primary key)`);
      const cases: [table: string, filter: string | undefined, reason: RegExp][] = [
        [`${table}_unpublished`, undefined, /check Realtime is enabled/],
        ["no_such_table", undefined, /check Realtime is enabled/],
        [table, "secret=eq.s", /invalid column for filter secret/],
        [table, "id=eq.one", /invalid input syntax for type integer/],
        [table, "title=match.(", /invalid regular expression/],
        [table, "title=not.imatch.[", /invalid regular expression/],
        [table, "id=foo.1", /Error parsing `filter` params/],
        [table, "title=in.a,b", /must be wrapped by parentheses/],
      ];
      for (const [name, filter, reason] of cases) {
        const { system } = await listenToChanges(client, name, filter ? { filter } : {});
        await until(() => system.length === 1);
        assert.equal(system[0]?.status, "error");
        assert.match(system[0]?.message ?? "", reason);
      }
      const waiting = await start(
        client,
        "waiting",
        { postgres_changes_options: { wait: true } } as never,
        (channel) => {
          channel.on("postgres_changes" as "system", {
            event: "*",
            schema: "public",
            table: "no_such_table",
          }, () => {});
        },
      );
      await until(() => waiting.errors.length > 0);
      assert.match(waiting.errors[0] ?? "", /check Realtime is enabled/);
      await client.removeAllChannels();
      await sql.unsafe(`drop table public.${table}_unpublished`);
    });
  });
});

test("a policy that fails, a table without a key and a large row are told without their contents", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(async (table) => {
      const ada = await signUp();
      const { events } = await listenToChanges(connect(ada.token), table);
      await sql`insert into public.${sql(table)} (id, owner_id, title)
        values (1, ${ada.id}, repeat('x', 2000000))`;
      await until(() => events.length === 1);
      assert.deepEqual(events[0].errors, ["Error 413: Payload Too Large"]);
      assert.deepEqual([events[0].new.id, events[0].new.title], [1, undefined]);
      await sql.unsafe(`create policy "nobody knows" on public.${table} for select to authenticated
        using (1 / (id - 2) > 5)`);
      await sql`insert into public.${sql(table)} (id, owner_id) values (2, gen_random_uuid())`;
      await until(() => events.length === 2);
      assert.deepEqual([events[1].new, events[1].errors], [
        {},
        ["Error 500: Internal Server Error, RLS policy evaluation failed"],
      ]);
      await sql.unsafe(`alter table public.${table} drop constraint ${table}_pkey`);
      await sql`insert into public.${sql(table)} (id, owner_id, title) values (3, ${ada.id}, 'x')`;
      await until(() => events.length === 3);
      assert.deepEqual([events[2].new, events[2].errors], [
        {},
        ["Error 400: Bad Request, no primary key"],
      ]);
    });
  });
});
