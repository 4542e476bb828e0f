import assert from "node:assert/strict";

import { anonymousClient, invoke, signUp, test, type TestUser } from "../_testing/testing.ts";
import { complete, PNG, reserve, send, stored, upload, usage } from "./files_testing.ts";

async function assertNothing(user: TestUser, what: string): Promise<void> {
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 }, what);
  assert.deepEqual(await stored(user), [], what);
}

test("a file's name is stored unchanged, and never used as a path", async () => {
  const user = await signUp();
  for (
    const name of [
      "Grüße 👋.png",
      "two words.png",
      "100%2f%2e%2e.png",
      "a..b.png",
      "你".repeat(1024),
    ]
  ) {
    const { status, body } = await upload(user, PNG, { name });
    assert.equal(status, 200, name);
    assert.equal(body.name, name);
    assert.match(body.path, /^[0-9a-f-]{36}\/[0-9a-f-]{36}\.png$/);
    const deleted = await invoke(user.client, "files", {
      method: "DELETE",
      body: { bucket: "chat_attachments", paths: [body.path] },
    });
    assert.deepEqual(deleted.body, { deleted: [body.path], not_found: [] });
  }
  await assertNothing(user, "deleted");
  const refused = [
    "../x",
    "a/b",
    "a\\b",
    "..",
    ".",
    "",
    " ",
    "a\nb",
    "a\0b",
    "\ud800",
    "x".repeat(1025),
  ];
  for (const name of refused) {
    const { status, body } = await reserve(user, { name });
    assert.equal(status, 422, JSON.stringify(name));
    assert.match(body.code, /^invalid_(name|request)$/, JSON.stringify(name));
  }
  await assertNothing(user, "refused");
});

test("a declaration that breaks a rule gets the rule's code, and reserves nothing", async () => {
  const user = await signUp();
  const cases: [object, number, string][] = [
    [{ bucket: "none" }, 404, "bucket_not_found"],
    [{ bucket: "avatars/../none" }, 404, "bucket_not_found"],
    [{ bucket: "a\0" }, 422, "invalid_request"],
    [{ size: 0 }, 422, "invalid_size"],
    [{ size: -1 }, 422, "invalid_size"],
    [{ size: 1.5 }, 422, "invalid_request"],
    [{ size: "1" }, 422, "invalid_request"],
    [{ size: 10 * 1024 * 1024 + 1 }, 413, "file_too_large"],
    [{ size: Number.MAX_SAFE_INTEGER }, 413, "file_too_large"],
    [{ size: 1e300 }, 422, "invalid_request"],
    [{ content_type: "text/html" }, 422, "content_type_not_allowed"],
    [{ content_type: "image/png\r\nx: y" }, 422, "invalid_content_type"],
    [{ content_type: "png" }, 422, "invalid_content_type"],
    [{ bucket: "chat-images" }, 422, "chat_required"],
    [{ bucket: "chat-images", chat_id: crypto.randomUUID() }, 404, "chat_not_found"],
    [{ project_id: crypto.randomUUID() }, 404, "project_not_found"],
    [{ project_id: "../x" }, 422, "invalid_request"],
    [{ user_id: crypto.randomUUID() }, 422, "invalid_request"],
    [{ path: "x" }, 422, "invalid_request"],
  ];
  for (const [declared, status, code] of cases) {
    const answer = await reserve(user, declared);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(declared));
  }
  const { body } = await reserve(user, { content_type: "text/html" });
  assert.ok(body.allowed.includes("image/png"));
  assert.equal((await reserve(user, { size: 10485761 })).body.maximum, 10485760);
  await assertNothing(user, "refused");
});

test("every route of files refuses a caller without a user's token or the secret key", async () => {
  const id = crypto.randomUUID();
  const calls = [
    ["files/uploads", { body: {} }],
    [`files/uploads/${id}/complete`, { method: "POST" }],
    ["files/downloads", { body: {} }],
    ["files", { method: "DELETE", body: {} }],
    ["files/usage", {}],
  ] as const;
  for (const [path, options] of calls) {
    const { status, body } = await invoke(anonymousClient(), path, options);
    assert.deepEqual([status, body.code], [401, "credentials_missing"], path);
  }
  const user = await signUp();
  const other = await invoke(user.client, `files/usage?user_id=${id}`);
  assert.equal(other.body.code, "invalid_request");
});

test("an upload token works once, for its own path and bucket", async () => {
  const user = await signUp();
  const reserved = await reserve(user, {
    size: 4,
    bucket: "app_storage",
    content_type: "image/webp",
  });
  const { token, upload_path, bucket } = reserved.body;
  const bytes = new Blob(["RIFF"], { type: "image/webp" });
  const attempts = [
    [bucket, `${user.id}/elsewhere.webp`, token],
    [bucket, `${user.id}/../${user.id}/elsewhere.webp`, token],
    [bucket, `${upload_path}/below`, token],
    [bucket, `${crypto.randomUUID()}/x.webp`, token],
    ["chat_attachments", upload_path, token],
    [bucket, upload_path, `${token.slice(0, -4)}AAAA`],
    [bucket, upload_path, "none"],
  ] as const;
  for (const [into, path, by] of attempts) {
    const { error } = await anonymousClient().storage.from(into).uploadToSignedUrl(path, by, bytes);
    assert.ok(error, `${into} ${path}`);
    const status = (error as { status?: number }).status ?? 0;
    assert.ok(status >= 400 && status < 500, `${into} ${path}: ${status}`);
  }
  assert.deepEqual(await stored(user), []);
  assert.deepEqual(await usage(user), { used: 0, reserved: 4 });

  const first = await reserve(user);
  assert.equal((await send(first, PNG)).error, null);
  assert.match((await send(first, new Uint8Array(40))).error?.message ?? "", /already exists/);
  assert.equal((await complete(user, first)).status, 200);
  assert.match((await send(first, new Uint8Array(40))).error?.message ?? "", /already exists/);
  assert.deepEqual(await usage(user), { used: PNG.length, reserved: 4 });
});

test("a direct upload is held to the user's folder, quota and reservations", async () => {
  const user = await signUp();
  const own = user.client.storage.from("app_storage");
  const upload = (path: string, bytes: string) => own.upload(path, new Blob([bytes]));
  assert.equal((await upload(`${user.id}/direct`, "12345")).error, null);
  assert.deepEqual(await usage(user), { used: 5, reserved: 0 });
  for (const path of ["direct", `${crypto.randomUUID()}/x`, `x/${user.id}/y`]) {
    assert.match((await upload(path, "x")).error?.message ?? "", /row-level security/, path);
  }
  const { error } = await own.createSignedUploadUrl(`${user.id}/unreserved`);
  assert.match(error?.message ?? "", /row-level security/);
  const reserved = await reserve(user, { bucket: "app_storage" });
  assert.equal((await own.createSignedUploadUrl(reserved.body.upload_path)).error, null);
  assert.deepEqual(await stored(user), [`app_storage/${user.id}/direct`]);
});
