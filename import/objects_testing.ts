/**
 * For tests: objects of Chuk Chat in a folder, and whether they have been moved.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { Sql } from "postgres";

import { serviceClient } from "../supabase/functions/_testing/testing.ts";
import { exportCsv, type TestSource, withFolder } from "./source_testing.ts";

/** An object of the product. */
interface TestObject {
  bucket: string;
  name: string;
  owner: string;
  type: string;
  time: Date;
}

/** A product in a folder, with its objects. */
interface TestFolder {
  dir: string;
  objects: TestObject[];
  /** Asserts that all objects are here, with their bytes, owners, types and times. */
  assertMoved(here: Sql): Promise<void>;
}

/**
 * Gives each user of Chuk Chat an avatar and the images of their chats, and writes everything into a folder. One of the
 * objects is empty.
 *
 * @param source The database of the product.
 * @param run Uses the folder.
 */
export async function withObjects(
  { sql }: TestSource,
  run: (folder: TestFolder) => Promise<void>,
): Promise<void> {
  const objects = await sql<TestObject[]>`
    insert into storage.objects (bucket_id, name, owner, metadata, created_at, updated_at, last_accessed_at)
    select 'user-avatars', u.id || '/avatar.png', u.id,
      '{"size": 4, "mimetype": "image/png", "cacheControl": "max-age=7"}'::jsonb, u.created_at, u.updated_at, u.updated_at
    from auth.users as u
    union all
    select 'chat-images', c.image_paths[1], c.user_id, '{"size": 40, "mimetype": "application/octet-stream"}',
      c.created_at, c.updated_at, c.updated_at
    from encrypted_chats as c where c.image_paths is not null
    returning bucket_id as bucket, name, owner, metadata ->> 'mimetype' as type, created_at as time`;
  const empty = objects.find(({ bucket }) => bucket === "chat-images")?.name;
  const bytesOf = (name: string) =>
    new TextEncoder().encode(name === empty ? "" : `bytes of ${name}`);
  await withFolder(async (dir) => {
    await exportCsv(sql, dir);
    for (const { bucket, name } of objects) {
      const path = `${dir}/objects/${bucket}/${name}`;
      await Deno.mkdir(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      await Deno.writeFile(path, bytesOf(name));
    }
    await run({
      dir,
      objects,
      async assertMoved(here) {
        for (const { bucket, name, owner, type, time } of objects) {
          const [object] = await here`
            select owner_id, metadata ->> 'mimetype' as type, created_at from storage.objects
            where bucket_id = ${bucket} and name = ${name}`;
          assert.deepEqual({ ...object }, { owner_id: owner, type, created_at: time });
          const { data } = await serviceClient().storage.from(bucket).download(name);
          assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), bytesOf(name));
        }
        const owners = objects.map(({ owner }) => owner);
        const [count] = await here`
          select count(*)::integer as rows from storage.objects where owner_id = any (${owners})`;
        assert.equal(count?.rows, objects.length);
        const wrong = await here`
          select * from public.storage_reconciliation() where user_id = any (${owners})`;
        assert.deepEqual([...wrong], []);
      },
    });
  });
}
