import assert from "node:assert/strict";

import {
  anonymousClient,
  serviceClient,
  signUp,
  soak,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";
import { complete, reserve, stored, usage } from "./files_testing.ts";

const BUCKET = "project-files";
const TYPE = "application/octet-stream";

async function setQuota(user: TestUser, bytes: number): Promise<void> {
  const { error } = await serviceClient().rpc("set_storage_quota", { user_id: user.id, bytes });
  if (error) throw error;
}

/** The bytes of all objects in a user's folders. */
async function bytesOf(user: TestUser): Promise<number> {
  const [row] = await withDatabase((sql) =>
    sql`select coalesce(sum((metadata ->> 'size')::bigint), 0)::int as bytes
      from storage.objects where name like ${`${user.id}/%`}`
  );
  return row?.bytes;
}

/** What the counters say that is not so. */
async function differences(user: TestUser) {
  const { data, error } = await serviceClient().rpc("storage_reconciliation", {
    only_user_id: user.id,
  });
  if (error) throw error;
  return data;
}

test("uploads by every way at once never leave a user above the quota", async () => {
  for (let round = 0; round < Math.ceil(3 * soak); round++) {
    const user = await signUp();
    const own = user.client.storage.from(BUCKET);
    const size = 1000;
    const body = (bytes = size) => new Uint8Array(bytes);
    const raw = { contentType: TYPE };
    // Two objects that are there: one to copy and move, one to replace by larger ones.
    for (const name of ["source", "replaced"]) {
      assert.equal((await own.upload(`${user.id}/${name}`, body(10), raw)).error, null);
    }
    assert.equal((await own.update(`${user.id}/source`, body(), raw)).error, null);
    const reserved = await Promise.all(
      Array.from({ length: 4 }, () => reserve(user, { bucket: BUCKET, size, content_type: TYPE })),
    );
    const tokens = await Promise.all(reserved.map(async ({ body: { upload_path } }) => {
      const { data } = await own.createSignedUploadUrl(upload_path, { upsert: true });
      return data?.token ?? "";
    }));
    // What is there and reserved, and room for between 1 and 8 more.
    const quota = 1010 + 4 * size + Math.floor(size * (1 + 7 * Math.random()));
    await setQuota(user, quota);
    const name = (what: string) => `${user.id}/${what}-${crypto.randomUUID()}`;
    const ways: (() => Promise<{ error: unknown }>)[] = [
      ...Array.from({ length: 4 }, () => () => own.upload(name("multipart"), new Blob([body()]))),
      ...Array.from({ length: 4 }, () => () => own.upload(name("raw"), body(), raw)),
      ...Array.from(
        { length: 4 },
        (_, n) => () => own.upload(`${user.id}/replaced`, body(size + n), { ...raw, upsert: true }),
      ),
      ...Array.from({ length: 4 }, () => () => own.copy(`${user.id}/source`, name("copy"))),
      // The declared size is reserved; three times as much is not.
      ...reserved.map(({ body: { upload_path } }, n) => () =>
        anonymousClient().storage.from(BUCKET)
          .uploadToSignedUrl(
            upload_path,
            tokens[n]!,
            new Blob([body(n % 2 ? size : 3 * size)], {
              type: TYPE,
            }),
          )
      ),
      () => own.move(`${user.id}/source`, name("moved")),
    ];
    const results = await Promise.all(
      ways.toSorted(() => Math.random() - 0.5).map((write) => write()),
    );
    assert.ok(results.some(({ error }) => error === null));
    assert.ok(results.some(({ error }) => error !== null));
    const { used, reserved: held } = await usage(user);
    assert.ok(used + held <= quota, `${used} used and ${held} reserved of ${quota}`);
    assert.ok(await bytesOf(user) <= quota);
    await Promise.all(reserved.map((one) => complete(user, one)));
    const after = await usage(user);
    assert.ok(after.used + after.reserved <= quota);
    assert.deepEqual(await differences(user), []);

    // What does not fit is refused whichever way, and what is removed makes room again.
    await setQuota(user, after.used + after.reserved);
    assert.ok((await own.upload(name("more"), body(1), raw)).error);
    const names = (await stored(user)).map((name) => name.slice(BUCKET.length + 1));
    assert.equal((await own.remove(names)).error, null);
    assert.deepEqual((await usage(user)).used, 0);
    assert.deepEqual(await differences(user), []);
  }
});

test("a URL that may overwrite brings no more than the quota, however often it is used", async () => {
  const user = await signUp();
  await setQuota(user, 100_000);
  const reserved = await reserve(user, { bucket: BUCKET, size: 70, content_type: TYPE });
  const { upload_path } = reserved.body;
  const { data } = await user.client.storage.from(BUCKET)
    .createSignedUploadUrl(upload_path, { upsert: true });
  const put = (bytes: number) =>
    anonymousClient().storage.from(BUCKET).uploadToSignedUrl(
      upload_path,
      data?.token ?? "",
      new Blob([new Uint8Array(bytes)], { type: TYPE }),
    );
  assert.equal((await put(70)).error, null);
  assert.match((await put(100_001)).error?.message ?? "", /row-level security/);
  assert.equal((await put(100_000)).error, null);
  assert.deepEqual(await usage(user), { used: 0, reserved: 100_000 });
  assert.equal((await put(70)).error, null);
  assert.equal((await complete(user, reserved)).status, 200);
  assert.match((await put(70)).error?.message ?? "", /row-level security/);
  assert.deepEqual(await usage(user), { used: 70, reserved: 0 });
});
