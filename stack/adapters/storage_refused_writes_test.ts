import assert from "node:assert/strict";

import {
  serviceClient,
  stack,
  test,
  withDatabase,
} from "../../supabase/functions/_testing/testing.ts";
import { createBucket } from "./storage_testing.ts";
import { withRawLite } from "./testing.ts";

/** Runs with a database that accepts no change of an object in a bucket. */
async function whileFrozen(bucket: string, run: () => Promise<void>): Promise<void> {
  const name = `freeze_${bucket.replaceAll("-", "_")}`;
  await withDatabase(async (sql) => {
    await sql.unsafe(
      `create function private.${name}() returns trigger language plpgsql set search_path = ''
      as $$ begin raise exception 'frozen' using errcode = '42501'; end $$;
      create trigger ${name} before insert or update of metadata, name on storage.objects for each row
        when (new.bucket_id = '${bucket}') execute function private.${name}()`,
    ).simple();
  });
  try {
    await run();
  } finally {
    await withDatabase((sql) => sql.unsafe(`drop function private.${name} cascade`));
  }
}

test("a write that the database refuses leaves the stored bytes as they were", async () => {
  const name = await createBucket();
  const bucket = serviceClient().storage.from(name);
  for (const object of ["a", "b"]) await bucket.upload(object, new Blob([object]));
  const { data: signed } = await bucket.createSignedUploadUrl("a", { upsert: true });
  await whileFrozen(name, async () => {
    const upsert = { upsert: true };
    const writes = {
      upload: () => bucket.upload("a", new Blob(["new"]), upsert),
      "signed upload": () =>
        bucket.uploadToSignedUrl("a", signed?.token ?? "", new Blob(["new"]), upsert),
      copy: () => serviceClient().storage.from(name).setHeader("x-upsert", "true").copy("b", "a"),
      move: () => bucket.move("a", "c"),
    };
    for (const [way, write] of Object.entries(writes)) {
      assert.ok((await write()).error, way);
      assert.equal(await (await bucket.download("a")).data?.text(), "a", way);
      assert.equal(await (await bucket.download("b")).data?.text(), "b", way);
    }
  });
  assert.equal((await bucket.move("a", "c")).error, null);
  assert.equal((await bucket.update("c", new Blob(["new"]))).error, null);
  assert.equal(await (await bucket.download("c")).data?.text(), "new");
});

test("@supabase/lite alone still overwrites the bytes of a refused upload", async () => {
  const name = await createBucket();
  await withRawLite(async (lite) => {
    const bucket = lite.client(stack.secretKey).storage.from(name);
    await bucket.update("a", new TextEncoder().encode("old"));
    const url = `${stack.url}/storage/v1/object/upload/sign/${name}/a`;
    const headers = { apikey: stack.secretKey, "x-upsert": "true" };
    const signed = await lite.fetch(new Request(url, { method: "POST", headers }));
    const { token } = await signed.json();
    await whileFrozen(name, async () => {
      const put = await lite.fetch(
        new Request(`${url}?token=${token}`, { method: "PUT", body: "new" }),
      );
      assert.ok(!put.ok);
      assert.equal(await (await bucket.download("a")).data?.text(), "new");
    });
  });
});
