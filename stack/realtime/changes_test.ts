import assert from "node:assert/strict";

import { signUp, test, until } from "../../supabase/functions/_testing/testing.ts";
import { listenToChanges, withNotes, withRealtime } from "./testing.ts";

test("a change has the values, types and names that the platform sends", async () => {
  await withRealtime(async (sql, connect) => {
    await withNotes(sql, async (table) => {
      const ada = await signUp();
      const { events, system } = await listenToChanges(connect(ada.token), table);
      await sql`insert into public.${sql(table)} values (1, ${ada.id}, 'Größe', 1.50,
        '2026-11-27 12:00:00.123456+01', '{a,"b c"}', '{"x": [1, null]}', 'secret', true)`;
      await sql`update public.${sql(table)} set title = null where id = 1`;
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
      assert.ok(Math.abs(Date.parse(insert.commit_timestamp) - Date.now()) < 60_000);
      assert.deepEqual([update.eventType, update.old, update.new.title], [
        "UPDATE",
        { id: 1 },
        null,
      ]);
      assert.deepEqual([deletion.eventType, deletion.old, deletion.new], ["DELETE", { id: 1 }, {}]);
      assert.deepEqual(
        system.map(({ extension, status, message }) => [extension, status, message]),
        [
          ["postgres_changes", "ok", "Subscribed to PostgreSQL"],
        ],
      );
    });
  });
});
