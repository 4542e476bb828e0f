/**
 * Scenes in Storage: see scenes_testing.ts.
 *
 * @module
 */

import { ALL, fillRaw, fillUsers, id, literal, type Scene, series, when } from "./scene_testing.ts";

const bytes = new TextEncoder().encode("what is stored");

/** SQL for the path of an item's object. */
const path = (label: string) => `(${id(label, "user")} || '/file')`;

/** Condition on objects o: queued objects count as removed. */
const unqueued = `not exists (
  select from private.storage_removals as r where r.bucket_id = o.bucket_id and r.name = o.name)`;

/** The scenes by job. */
export const STORAGE_SCENES: Record<string, Scene> = {
  storage_removals: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      for (
        const { name } of await stage.sql.unsafe(`select ${path(label)} as name from ${series}`)
      ) {
        const { error } = await stage.client.storage.from("project-files").upload(name, bytes);
        if (error) throw error;
      }
      // Even ones are queued. Every third of these is needed again, by a record that was added later.
      await fillRaw(
        stage,
        `
        insert into private.storage_removals (bucket_id, name, version)
          select o.bucket_id, o.name, o.version from storage.objects as o
          join ${series} on o.bucket_id = 'project-files' and o.name = ${
          path(label)
        } where n % 2 = 0;
        insert into project_files (project_id, user_id, file_name, storage_path, file_type, file_size)
          select ${id(label)}, ${id(label, "user")}, 'f', ${path(label)}, 'txt', 14
          from ${series} where n % 3 = 0`,
      );
    },
    async state({ sql, client }, label) {
      const objects = await sql.unsafe(`select n from storage.objects join ${series}
        on bucket_id = 'project-files' and name = ${path(label)} order by n`);
      // Objects that are listed must be readable.
      const readable: number[] = [];
      for (
        const { n, name } of await sql.unsafe(`select n, ${path(label)} as name from ${series}`)
      ) {
        const { data } = await client.storage.from("project-files").download(name);
        if (data && await data.text() === "what is stored") readable.push(n);
      }
      const queued = await sql.unsafe(`select n from private.storage_removals join ${series}
        on name = ${path(label)} order by n`);
      return { objects: objects.map(({ n }) => n), readable, queued: queued.map(({ n }) => n) };
    },
  },
  expired_uploads: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      // Every other expired upload was already written to its path, and some URLs may still be valid.
      await fillRaw(
        stage,
        `
        insert into file_uploads (id, user_id, file_name, file_path, upload_path, bucket_name, file_size, status,
            expires_at, verified_at)
          select ${id(label)}, ${id(label, "user")}, 'f', ${path(label)},
            ${path(label)} || case when n % 4 = 0 then 'new' else '' end, 'avatars', 1, 'pending',
            ${
          when("-30 minutes", "1 hour")
        } - case when n % 6 = 0 then interval '1 hour' else '0' end,
            case when n % 4 = 0 then now() end
          from ${series};
        insert into private.spent_uploads (bucket_id, name, user_id, expires_at)
          select 'avatars', ${path(label)} || 'spent', ${id(label, "user")}, ${
          when("-90 minutes", "-30 minutes")
        } from ${series};
        insert into storage.objects (bucket_id, name, version, metadata)
          select 'avatars', ${path(label)} || kind, 'written since', '{"size": 1}'
          from ${series}, unnest(array['', 'new', 'spent']) as kind where n % 4 = 0 or kind <> 'new'`,
      );
    },
    state: async (stage, label) => ({
      uploads: [
        ...await stage.sql.unsafe(`select n, status from file_uploads as u
          join ${series} on u.id = ${id(label)} order by n`),
      ],
      urls: [
        ...await stage.sql.unsafe(`select n, replace(s.name, ${path(label)}, '') as kind
          from private.spent_uploads as s join ${series} on s.user_id = ${
          id(label, "user")
        } order by 1, 2`),
      ],
      objects: [
        ...await stage.sql.unsafe(`select n, replace(o.name, ${path(label)}, '') as kind
          from storage.objects as o join ${series} on o.name like ${
          path(label)
        } || '%' where ${unqueued}
          order by 1, 2`),
      ],
    }),
  },
  orphaned_objects: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      await stage.sql.unsafe(`
        insert into storage.objects (bucket_id, name, metadata, created_at, updated_at)
          select 'project-files', ${id(label, "user")} || '/' || ${
        literal(label)
      } || n, '{"size": 1}',
            ${when("-8 days", "-6 days")}, ${when("-8 days", "-6 days")} from ${series};
        insert into file_uploads (user_id, file_name, file_path, bucket_name)
          select ${id(label, "user")}, 'f', ${id(label, "user")} || '/' || ${
        literal(label)
      } || n, 'project-files'
          from ${series} where n % 3 = 0`).simple();
    },
    state: async (
      { sql },
      label,
    ) => [
      ...await sql.unsafe(`select n from storage.objects as o join ${series}
        on name = ${id(label, "user")} || '/' || ${literal(label)} || n
        where ${unqueued}
        order by n`),
    ],
  },
  account_exports: {
    // Some of the users have a file.
    async fill(stage, label) {
      await fillUsers(stage, label);
      for (
        const { name } of await stage.sql.unsafe(
          `select ${path(label)} as name from ${series} where n % 8 = 0`,
        )
      ) {
        const { error } = await stage.client.storage.from("project-files").upload(name, bytes);
        if (error) throw error;
      }
      // Calls are lost more often than an export would bear.
      await stage.sql`update private.settings set value = maximum where name = 'exports.attempts'`;
      await stage.sql.unsafe(`insert into private.account_exports (user_id)
        select ${id(label, "user")} from ${series} where n % 4 = 0`);
    },
    // How the rows are divided into parts depends on the batches.
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select n, e.state, e.rows, e.tables, e.files, e.files_missing,
          (select sum(p.rows)::int from private.account_export_parts as p where p.export_id = e.id) as rows_in_parts,
          (select count(*)::int from private.account_export_parts as p where p.export_id = e.id
            and not exists (select from storage.objects as o where o.bucket_id = 'exports'
              and o.name = private.export_folder(e) || p.name)) as missing_parts,
          (select count(*)::int from private.account_export_parts as p
            where p.export_id = e.id and p.kind = 'manifest') as manifests
        from private.account_exports as e join ${series} on e.user_id = ${
        id(label, "user")
      } order by n`),
    ],
  },
  multipart_uploads: {
    async fill({ sql }, label) {
      await sql.unsafe(`
        insert into storage.s3_multipart_uploads (id, bucket_id, key, version, upload_signature, created_at)
          select ${literal(label)} || n, 'avatars', ${literal(label)}, 'v', 's', ${
        when("-8 days", "-6 days")
      } from ${series}`);
    },
    state: async (
      { sql },
      label,
    ) => [
      ...await sql.unsafe(`select replace(id, key, '')::int as n from storage.s3_multipart_uploads
        where key = ${literal(label)} order by 1`),
    ],
  },
  storage_reconciliation: {
    async fill(stage, label) {
      await fillUsers(stage, label);
      // Triggers have not counted what other scenes have filled in raw.
      await stage.sql`select recount_storage(id) from auth.users where email like 'scene %'`;
      await stage.sql.unsafe(
        `insert into private.storage_counters (user_id, bucket_id, objects, bytes)
        select ${id(label, "user")}, 'chat-images', 1, 10 from ${series} where n in (1, ${ALL})`,
      );
    },
    state: async ({ sql }, label) => [
      ...await sql.unsafe(`
        select distinct n, p ->> 'problem' as problem
        from private.cleanup_runs as r cross join jsonb_array_elements(r.report) as p
        join ${series} on ${id(label, "user")}::text = p ->> 'user_id'
        where r.job = 'storage_reconciliation' order by 1, 2`),
    ],
  },
};
