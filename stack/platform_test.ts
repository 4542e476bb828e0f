import assert from "node:assert/strict";
import type { PostgresError } from "postgres";

import { test, withDatabase } from "../supabase/functions/_testing/testing.ts";

/** Runs a statement as postgres, undoes it and returns its SQLSTATE; undefined if it succeeds. */
async function refusal(statement: string): Promise<string | undefined> {
  return await withDatabase(async (sql) => {
    try {
      await sql.begin(async (transaction) => {
        await transaction.unsafe(statement).simple();
        throw new Error("undo");
      });
    } catch (error) {
      return (error as PostgresError).code;
    }
  });
}

test("postgres, the role that runs migrations, is not a superuser", async () => {
  const [role] = await withDatabase((sql) =>
    sql`select rolsuper, rolcreaterole, rolbypassrls from pg_roles where rolname = current_user`
  );
  assert.deepEqual({ ...role }, { rolsuper: false, rolcreaterole: true, rolbypassrls: true });
});

test("only triggers and policies can be added to auth and storage, or removed", async () => {
  const trigger = `create function public.test_trigger() returns trigger language plpgsql
      as $$ begin return new; end $$;
    create trigger test_trigger after insert on auth.users
      for each row execute function public.test_trigger();`;
  const policy = "create policy test_policy on storage.objects for select to anon using (false);";
  const allowed = [
    trigger,
    `${trigger} drop trigger test_trigger on auth.users;`,
    `${trigger} drop function public.test_trigger() cascade;`,
    policy,
    `${policy} drop policy test_policy on storage.objects;`,
    "create table public.test_table (id uuid references auth.users (id) on delete cascade);",
    "create table public.test_table (id int); drop table public.test_table;",
  ];
  for (const statement of allowed) assert.equal(await refusal(statement), undefined, statement);

  const refused = [
    "create table auth.test_table (id int);",
    "create function auth.test() returns int language sql as 'select 1';",
    "create view storage.test_view as select 1;",
    "alter table auth.users add column test int;",
    "alter table storage.objects disable row level security;",
    "drop table auth.users cascade;",
    "drop function auth.uid() cascade;",
    "create index on auth.users (created_at);",
  ];
  for (const statement of refused) assert.equal(await refusal(statement), "42501", statement);
});

test("rows of storage.objects cannot be deleted by SQL", async () => {
  assert.equal(await refusal("delete from storage.objects;"), "42501");
  assert.equal(await refusal("delete from storage.buckets;"), "42501");
});

test("the roles of the services have the timeouts and memberships of the platform", async () => {
  await withDatabase(async (sql) => {
    const roles = await sql`
      select rolname, rolinherit,
        -- Without PostgREST's hook, which a migration sets.
        (select string_agg(c, ' ') from unnest(rolconfig) as c where c not like 'pgrst.%') as config
      from pg_roles where rolname in ('anon', 'authenticated', 'service_role', 'authenticator') order by rolname`;
    assert.deepEqual(roles.map((role) => [role.rolname, role.rolinherit, role.config]), [
      ["anon", true, "statement_timeout=3s"],
      ["authenticated", true, "statement_timeout=8s"],
      ["authenticator", false, "statement_timeout=8s lock_timeout=8s"],
      ["service_role", true, null],
    ]);
    const [member] = await sql`
      select pg_has_role('authenticator', 'supabase_storage_admin', 'set') as storage,
        pg_has_role('supabase_storage_admin', 'authenticated', 'set') as authenticated`;
    assert.deepEqual({ ...member }, { storage: true, authenticated: true });
  });
});

test("an update of an object sets updated_at", async () => {
  await withDatabase(async (sql) => {
    const bucket = `test-${crypto.randomUUID()}`;
    await sql`insert into storage.buckets (id, name) values (${bucket}, ${bucket})`;
    await sql`insert into storage.objects (bucket_id, name, updated_at) values (${bucket}, 'a', '2000-01-01')`;
    const [row] = await sql`
      update storage.objects set metadata = '{}' where bucket_id = ${bucket}
      returning updated_at > now() - interval '1 minute' as is_new`;
    assert.equal(row?.is_new, true);
  });
});
