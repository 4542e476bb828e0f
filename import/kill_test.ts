import assert from "node:assert/strict";
import type { Sql } from "postgres";

import { soak, test, until, withDatabase } from "../supabase/functions/_testing/testing.ts";
import { withObjects } from "./objects_testing.ts";
import { assertCountersRight, assertRowsEqual } from "./sides_testing.ts";
import { runImport, startImport, type TestSource, withSource } from "./source_testing.ts";

const KILLS = 3;

/** Users of a product. */
const USERS = Math.min(30 * soak, 1000);

/** How many rows the import has read, of all tables or of one. */
async function rowsRead(here: Sql, product: string, step: string | null = null): Promise<number> {
  const [row] = await here`
    select coalesce(sum(rows), 0)::integer as rows from private.imports
    where product = ${product} and (${step}::text is null or step = ${step})`;
  return row?.rows;
}

/** A place in an import: when so many rows have been read, of all tables or of one. */
interface Place {
  product: string;
  step?: string;
  rows: number;
}

/** Starts an import, and kills it in the middle. */
async function killImport(here: Sql, args: string[], place: Place): Promise<void> {
  const { product, step = null, rows } = place;
  await holdAt(here, place);
  const child = startImport(args);
  const output = Promise.all(
    [child.stdout, child.stderr].map((stream) => new Response(stream).text()),
  );
  let ended = false;
  child.status.then(() => ended = true);
  await until(async () => ended || await rowsRead(here, product, step) >= rows);
  assert.ok(!ended, `It ended before it could be killed: ${ended && await output}`);
  child.kill("SIGKILL");
  await output;
  assert.equal((await child.status).signal, "SIGKILL", "it was killed before it could end");
  await here`select pg_advisory_unlock(${HOLD})`;
  // Waits for the transaction that was held, which is taken back.
  await here`drop function private.hold_import cascade`;
}

const HOLD = 20261128;

/** Lets no import go beyond a place while the session lives, so that a kill finds it in the middle, however fast it is. */
async function holdAt(here: Sql, { step, rows }: Place): Promise<void> {
  await here.unsafe(`
    create function private.hold_import() returns trigger language plpgsql as $$
    begin
      if (select sum(i.rows) from private.imports as i
          where i.product = new.product ${step ? `and i.step = '${step}'` : ""}) >= ${rows} then
        perform pg_catalog.pg_advisory_xact_lock_shared(${HOLD});
      end if;
      return new;
    end $$;
    create trigger hold_import before insert or update on private.imports
      for each row execute function private.hold_import();
    select pg_advisory_lock(${HOLD})`).simple();
}

/** Imports a product, and kills the import three times in the middle. */
async function importKilled(product: string, source: TestSource, batch: number): Promise<void> {
  const args = ["--product", product, "--from", source.url, "--no-objects"];
  const [count] = await source.sql`
    select sum((xpath('/row/n/text()', query_to_xml(format('select count(*) as n from %I.%I', schemaname, tablename),
      false, true, '')))[1]::text::integer)::integer as rows
    from pg_tables where schemaname in ('public', 'auth') and tablename <> 'credit_transactions'`;
  await withDatabase(async (here) => {
    let before = 0;
    for (let kill = 1; kill <= KILLS; kill++) {
      const enough = Math.floor(count?.rows * kill / (KILLS + 1));
      await killImport(here, [...args, "--batch", String(batch)], { product, rows: enough });
      const rows = await rowsRead(here, product);
      assert.ok(rows > before && rows < count?.rows, `${rows} of ${count?.rows} rows`);
      before = rows;
    }
    const { code, output, report } = await runImport(args);
    assert.equal(code, 0, output);
    assert.ok(report?.ok);
    assert.deepEqual(report.problems, []);
    for (const { table, source, target, equal } of report.tables) {
      assert.ok(equal, table);
      assert.deepEqual(source, target);
    }
    assert.equal(await rowsRead(here, product), count?.rows);

    const compared = await assertRowsEqual(source, here);
    assert.ok(compared > 0);
    const users = (await source.sql`select id from auth.users`).map(({ id }) => id);
    await assertCountersRight(here, users);

    const again = await runImport(args);
    assert.equal(again.code, 0, again.output);
    assert.deepEqual(again.report?.tables, report.tables);
  });
}

test("an import of Wbot that is killed three times ends complete and equal", async () => {
  const users = soak >= 10 ? 100_000 : USERS;
  await withSource("wbot", users, async (source) => {
    // A user who lacks what a sign-up creates.
    const [lone] = await source.sql`
      insert into auth.users (id, email, created_at, updated_at)
      values (gen_random_uuid(), 'lone@' || current_database(), now(), now()) returning id`;
    await importKilled("wbot", source, Math.ceil(users / 50));
    await withDatabase(async (here) => {
      const [profile] = await here`select 1 from public.profiles where id = ${lone?.id}`;
      assert.ok(profile);
      const [account] = await here`
        select balance from public.credit_accounts where user_id = ${lone?.id}`;
      assert.equal(Number(account?.balance), 0, "no credits for a sign-up");
    });
    const contents = await source.sql`select id, content from messages order by id limit 200`;
    await withDatabase(async (here) => {
      for (const { id, content } of contents) {
        const [message] =
          await here`select content #>> '{}' as text from public.messages where id = ${id}`;
        assert.equal(message?.text, content);
      }
    });
  });
});

test("an import of Chuk Chat that is killed three times ends complete and equal, with its credits", async () => {
  await withSource("chuk", USERS, async (source) => {
    await importKilled("chuk", source, 7);
    const old = await source.sql`select user_id, balance from user_credits order by user_id`;
    await withDatabase(async (here) => {
      const now = await here`
        select user_id, balance from public.user_credits
        where user_id = any (${old.map(({ user_id }) => user_id)}) order by user_id`;
      assert.deepEqual(
        now.map(({ user_id, balance }) => [user_id, Number(balance)]),
        old.map(({ user_id, balance }) => [user_id, Number(balance)]),
      );
      const [grants] = await here`
        select count(*)::integer as rows from private.credit_grants
        where source = 'opening' and external_reference in ${
        here(old.map(({ user_id }) => `opening:chuk:${user_id}`))
      }`;
      assert.equal(grants?.rows, old.filter(({ balance }) => Number(balance) > 0).length);
      const wrong = await here`
        select c.user_id from public.encrypted_chats as c
        where c.user_id = any (${old.map(({ user_id }) => user_id)})
        group by c.user_id having min(c.sync_sequence) <> 1 or max(c.sync_sequence) <> count(*)`;
      assert.deepEqual([...wrong], [], "the changes of chats are numbered without gaps");
    });
  });
});

test("an import of CodingIT-1 that is killed three times ends complete and equal", async () => {
  await withSource("codingit", USERS, async (source) => {
    await importKilled("codingit", source, 7);
    const [last] = await source.sql`select max(id) as id from tasks`;
    const [user] = await source.sql`select id from auth.users limit 1`;
    await withDatabase(async (here) => {
      const [task] = await here`
        insert into public.tasks (user_id, prompt) values (${user?.id}, 'next') returning id`;
      assert.ok(Number(task?.id) > Number(last?.id), "new tasks continue the numbers");
      const projects = await source.sql`select id, updated_at, status, deleted_at from projects`;
      for (const { id, updated_at, status, deleted_at } of projects) {
        const [project] =
          await here`select status, deleted_at from public.projects where id = ${id}`;
        assert.equal(project?.status, status);
        const expected = status === "deleted" ? deleted_at ?? updated_at : null;
        assert.deepEqual(project?.deleted_at, expected);
      }
    });
  });
});

test("an import of Sorar AI that is killed three times ends complete and equal", async () => {
  await withSource("sorar", USERS, async (source) => {
    await importKilled("sorar", source, 7);
    await withDatabase(async (here) => {
      const profiles = await source.sql`
        select user_id, anxiety_freq, confidence, comm_style from user_profiles`;
      const goals = await source.sql`select * from user_goals`;
      for (const { user_id, ...old } of profiles) {
        const [profile] = await here`
          select anxiety_frequency as anxiety_freq, confidence_level as confidence,
            communication_style as comm_style from public.user_profiles where user_id = ${user_id}`;
        assert.deepEqual({ ...profile }, old);
      }
      for (const goal of goals) {
        const [here_] = await here`select * from public.user_goals where id = ${goal.id}`;
        const completed = goal.status === "completed" || goal.progress_percentage === 100;
        assert.equal(here_?.status, completed ? "completed" : goal.status);
        assert.deepEqual(
          here_?.completed_at,
          completed ? goal.completed_at ?? goal.updated_at : null,
        );
      }
    });
  });
});

test("an import that is killed three times while it copies objects ends complete and equal, with their owners", async () => {
  await withSource("chuk", USERS, async (source) => {
    await withObjects(source, async ({ dir, objects, assertMoved }) => {
      const args = ["--product", "chuk", "--from", dir];
      await withDatabase(async (here) => {
        const place = { product: "chuk", step: "storage.objects" };
        const copied = () => rowsRead(here, place.product, place.step);
        let before = 0;
        for (let kill = 1; kill <= KILLS; kill++) {
          const rows = Math.floor(objects.length * kill / (KILLS + 1));
          await killImport(here, [...args, "--batch", "5"], { ...place, rows });
          const read = await copied();
          assert.ok(read > before && read < objects.length, `${read} of ${objects.length} objects`);
          before = read;
        }
        const { code, output, report } = await runImport(args);
        assert.equal(code, 0, output);
        assert.deepEqual(report?.problems, []);
        const compared = report?.tables.find(({ table }) => table === "storage.objects");
        assert.equal(compared?.target.rows, objects.length);
        assert.deepEqual(compared?.target, compared?.source);
        await assertMoved(here);
      });
    });
  });
});
