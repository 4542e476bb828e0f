import assert from "node:assert/strict";
import type { PostgresError } from "postgres";

import { test } from "../supabase/functions/_testing/testing.ts";
import { applyMigrations } from "./migrations.ts";
import { connect } from "./postgres.ts";
import { noReport } from "./progress.ts";
import { withScratchDatabase } from "./scratch_database.ts";

/** Refuses triggers on the tables of Storage, as older self-hosted platforms do: only their owner may create them there. */
const REFUSE_TRIGGERS = `
  create function _stack.refuse_storage_triggers() returns event_trigger
  language plpgsql set search_path = '' as $$
  begin
    if exists (select from pg_catalog.pg_event_trigger_ddl_commands() where object_identity like '% on storage.%') then
      raise exception 'must be owner of relation objects' using errcode = '42501';
    end if;
  end $$;
  create event trigger refuse_storage_triggers on ddl_command_end when tag in ('CREATE TRIGGER')
    execute function _stack.refuse_storage_triggers();`;

test("without triggers on storage.objects, usage is added up, and the health of the cleanup says so", async () => {
  await withScratchDatabase(async (access) => {
    const admin = connect(access, "supabase_admin");
    const sql = connect(access, "postgres");
    try {
      await admin.unsafe(REFUSE_TRIGGERS).simple();
      await applyMigrations(sql, noReport);
      const user = crypto.randomUUID();
      await sql`insert into auth.users (id, email) values (${user}, 'anna@example.com')`;
      const store = (name: string, size: number) =>
        sql`insert into storage.objects (bucket_id, name, owner_id, metadata)
          values ('project-files', ${`${user}/${name}`}, ${user}, ${sql.json({ size })})`;
      const usage = async () =>
        (await sql`select used::int, reserved::int from get_storage_usage(${user}) where bucket is null`)[
          0
        ];
      const reserve = (size: number) =>
        sql`select id from reserve_upload(${user}, 'project-files', 'a', ${size}, 'image/png')`;
      const check = async () => {
        await sql`select run_cleanup_batch('storage_reconciliation', gen_random_uuid())`;
        const [health] =
          await sql`select last_outcome, last_report from cleanup_health() where job = 'storage_reconciliation'`;
        assert.equal(health?.last_outcome, "done");
        return health?.last_report;
      };
      await sql`select set_storage_quota(${user}, 1000)`;
      await store("a", 400);
      await reserve(500);
      assert.deepEqual({ ...await usage() }, { used: 400, reserved: 500 });
      await assert.rejects(reserve(101), ({ code }: PostgresError) => code === "PT413");
      // The policies still protect what was checked from a client that asks Storage to write there.
      await sql`insert into file_uploads (user_id, file_name, file_path, upload_path, bucket_name)
        values (${user}, 'f', ${`${user}/a`}, ${`${user}/a`}, 'project-files')`;
      const uploadAsClient = (name: string) =>
        sql.begin(async (transaction) => {
          const claims = JSON.stringify({ sub: user, role: "authenticated" });
          await transaction`select set_config('request.jwt.claims', ${claims}, true)`;
          await transaction.unsafe("set local role authenticated");
          await transaction`insert into storage.objects (bucket_id, name, metadata)
            values ('project-files', ${`${user}/${name}`}, '{"contentLength": 1}')
            on conflict (bucket_id, name) do update set metadata = excluded.metadata`;
        });
      await assert.rejects(uploadAsClient("a"), ({ code }: PostgresError) => code === "42501");
      await uploadAsClient("c");

      const [missing] = await check();
      assert.deepEqual([missing.problem, missing.user_id], ["triggers", null]);

      // As soon as the platform allows them, everything that is there is counted.
      await admin.unsafe("drop event trigger refuse_storage_triggers");
      const [watched] = await sql`select private.watch_objects() as done`;
      assert.equal(watched?.done, true);
      assert.deepEqual(await check(), []);
      assert.deepEqual({ ...await usage() }, { used: 400, reserved: 500 });
      await assert.rejects(store("b", 101), ({ code }: PostgresError) => code === "42501");
      await store("b", 100);
      assert.deepEqual({ ...await usage() }, { used: 500, reserved: 500 });
      assert.deepEqual([...await sql`select * from storage_reconciliation()`], []);
    } finally {
      await sql.end();
      await admin.end();
    }
  });
});
