import assert from "node:assert/strict";

import {
  anonymousClient,
  serviceClient,
  signUp,
  test,
  type TestUser,
  withDatabase,
} from "../_testing/testing.ts";
import { complete, GIF, PNG, reserve, send, stored, upload, usage } from "./files_testing.ts";

const REFUSED = /row-level security/;

/** A page that says that it is a PNG. */
const page = new TextEncoder().encode("<script>alert(1)</script>");
const lie = new Blob([page], { type: "image/png" });

async function bytesOf(user: TestUser, bucket: string, path: string): Promise<Uint8Array> {
  const { data, error } = await user.client.storage.from(bucket).download(path);
  if (error) throw error;
  return new Uint8Array(await data.arrayBuffer());
}

/** Signs an upload URL as a client can do itself: it may overwrite. */
async function signUpsert(user: TestUser, bucket: string, path: string): Promise<string> {
  const { data, error } = await user.client.storage.from(bucket)
    .createSignedUploadUrl(path, { upsert: true });
  if (error) throw error;
  return data.token;
}

/** Every way in which a client can write other bytes to a path. */
function waysToWrite(user: TestUser, bucket: string, path: string, source: string, token: string) {
  const own = user.client.storage.from(bucket);
  return {
    "an upload": () => own.upload(path, lie),
    "an upload with upsert": () => own.upload(path, lie, { upsert: true }),
    "a raw upload with upsert": () =>
      own.upload(path, page, { upsert: true, contentType: "image/png" }),
    "an update": () => own.update(path, lie),
    "a move": () => own.move(source, path),
    "a copy": () => own.copy(source, path),
    "a copy with upsert": () =>
      user.client.storage.from(bucket).setHeader("x-upsert", "true").copy(source, path),
    "a URL that may overwrite": () =>
      anonymousClient().storage.from(bucket).uploadToSignedUrl(path, token, lie),
  };
}

test("a client cannot replace a completed file, whichever way it writes", async () => {
  const user = await signUp();
  const bucket = "chat_attachments";
  const source = `${user.id}/page`;
  assert.equal((await user.client.storage.from(bucket).upload(source, lie)).error, null);
  const reserved = await reserve(user);
  const { path } = reserved.body;
  const token = await signUpsert(user, bucket, path);
  await send(reserved, PNG);
  assert.equal((await complete(user, reserved)).status, 200);
  const ways = waysToWrite(user, bucket, path, source, token);
  for (const [way, write] of Object.entries(ways)) {
    const { error } = await write();
    assert.match(error?.message ?? "", /row-level security|already exists/, way);
    assert.deepEqual(await bytesOf(user, bucket, path), PNG, way);
  }
  // Nor can it be written again once it was removed or moved away without its record.
  assert.equal((await user.client.storage.from(bucket).remove([path])).error, null);
  for (const [way, write] of Object.entries(ways)) {
    assert.match((await write()).error?.message ?? "", REFUSED, way);
  }
  assert.deepEqual(await stored(user), [`${bucket}/${source}`]);
  assert.deepEqual(await usage(user), { used: page.length, reserved: 0 });
});

test("a client cannot replace a completed avatar, and the next upload can", async () => {
  const user = await signUp();
  const bucket = "avatars";
  const { path } = (await upload(user, PNG, { bucket })).body;
  const other = await reserve(user, { bucket, content_type: "image/gif", size: GIF.length });
  const token = await signUpsert(user, bucket, other.body.upload_path);
  const source = `${user.id}/page`;
  assert.equal((await user.client.storage.from(bucket).upload(source, lie)).error, null);
  for (const [way, write] of Object.entries(waysToWrite(user, bucket, path, source, token))) {
    assert.ok((await write()).error, way);
    assert.deepEqual(await bytesOf(user, bucket, path), PNG, way);
  }
  await send(other, GIF, "image/gif");
  assert.equal((await complete(user, other)).status, 200);
  assert.deepEqual(await bytesOf(user, bucket, path), GIF);
});

test("a file that changes while it is checked is not completed as checked", async () => {
  const user = await signUp();
  const service = serviceClient();
  for (const bucket of ["chat_attachments", "avatars"]) {
    const reserved = await reserve(user, { bucket });
    const { id: upload_id, upload_path } = reserved.body;
    const token = await signUpsert(user, bucket, upload_path);
    await send(reserved, PNG);
    const ids = { user_id: user.id, upload_id };
    const { data: checked } = await service.rpc("get_upload", ids);
    const version = checked?.version ?? "";
    assert.ok(version);
    // Of the same size and type.
    const other = new Uint8Array(PNG.length).fill(60);
    const put = () =>
      anonymousClient().storage.from(bucket)
        .uploadToSignedUrl(upload_path, token, new Blob([other], { type: "image/png" }));
    assert.equal((await put()).error, null);
    const finish = bucket === "avatars" ? "verify_upload" : "complete_upload";
    const { error } = await service.rpc(finish, { ...ids, version });
    assert.match(error?.details ?? "", /^upload_changed/, bucket);
    assert.equal((await complete(user, reserved)).body.code, "upload_rejected");
  }
  // Once it has been found to be as declared, it stays so until it takes its place.
  const reserved = await reserve(user, { bucket: "avatars" });
  const { id: upload_id, upload_path, path } = reserved.body;
  const token = await signUpsert(user, "avatars", upload_path);
  await send(reserved, PNG);
  const ids = { user_id: user.id, upload_id };
  const { data } = await service.rpc("get_upload", ids);
  await service.rpc("verify_upload", { ...ids, version: data?.version ?? "" });
  for (const target of [upload_path, path]) {
    const ways = waysToWrite(user, "avatars", target, `${user.id}/none`, token);
    for (const way of ["an upload with upsert", "an update", "a URL that may overwrite"] as const) {
      assert.ok((await ways[way]()).error, `${way} to ${target}`);
    }
  }
  assert.equal((await complete(user, reserved)).status, 200);
  assert.deepEqual(await bytesOf(user, "avatars", path), PNG);
});

test("a client cannot change what the record of a checked file says", async () => {
  const user = await signUp();
  const { id, path } = (await upload(user)).body;
  const records = user.client.from("file_uploads");
  for (
    const change of [
      { file_path: `${user.id}/page` },
      { bucket_name: "app_storage" },
      { mime_type: "text/html" },
      { file_size: 1 },
    ]
  ) {
    const { error } = await records.update(change).eq("id", id);
    assert.equal(error?.code, "42501", JSON.stringify(change));
  }
  const { data } = await records.update({ file_name: "b.png", metadata: { seen: true } })
    .eq("id", id).select("file_path, file_name, mime_type").single();
  assert.deepEqual(data, { file_path: path, file_name: "b.png", mime_type: "image/png" });
});

test("nothing that a browser would run gets into a public bucket", async () => {
  const user = await signUp();
  const own = user.client.storage.from("app_storage");
  const text = { contentType: "text/plain" };
  const types = [
    "text/html",
    "TEXT/HTML; charset=utf-8",
    "image/svg+xml",
    "application/xhtml+xml",
    "text/xml",
    "text/javascript",
    "application/x-javascript",
    "text/css",
    "application/x-shockwave-flash",
    "image/png,text/html",
    "unknown/unknown",
  ];
  for (const contentType of types) {
    const { error } = await own.upload(`${user.id}/file`, page, { contentType });
    assert.match(error?.message ?? "", REFUSED, contentType);
    const declared = contentType.toLowerCase().split(/[;,]/)[0] ?? "";
    if (declared === "image/png") continue;
    const reserved = await reserve(user, { bucket: "app_storage", content_type: declared });
    assert.deepEqual([reserved.status, reserved.body.code], [422, "content_type_not_allowed"]);
  }
  const names = [
    ...[
      "a.html",
      "a.HTM",
      "a.xhtml",
      "a.svg",
      "a.SvgZ",
      "a.xml",
      "a.js",
      "a.mjs",
      "a.css",
      "a.swf",
    ],
    ...["a.html.", "a.html.png", "a.png.html", "a.html ", "a.svg;png", "b/c/a.Xht", ".html"],
  ];
  for (const name of names) {
    const { error } = await own.upload(`${user.id}/${name}`, page, text);
    assert.match(error?.message ?? "", REFUSED, name);
  }
  // Nor by a copy, a move, or a URL that was signed before.
  const kept = user.client.storage.from("project-files");
  const html = { contentType: "text/html" };
  assert.equal((await kept.upload(`${user.id}/page`, page, html)).error, null);
  assert.equal((await kept.upload(`${user.id}/page.html`, page, text)).error, null);
  const elsewhere = { destinationBucket: "app_storage" };
  for (const [from, to] of [["page", "page"], ["page.html", "page.html"]]) {
    const [source, target] = [`${user.id}/${from}`, `${user.id}/${to}`];
    assert.match((await kept.copy(source, target, elsewhere)).error?.message ?? "", REFUSED);
    assert.match((await kept.move(source, target, elsewhere)).error?.message ?? "", REFUSED);
  }
  const reserved = await reserve(user, {
    bucket: "app_storage",
    name: "a.html",
    content_type: "application/octet-stream",
  });
  assert.match(reserved.body.upload_path, /\.bin$/);
  assert.match((await send(reserved, page, "text/html")).error?.message ?? "", REFUSED);

  const harmless = ["a.png", "html", "a.htmlx", "notes.json", "my.report.pdf"];
  for (const name of harmless) {
    assert.equal((await own.upload(`${user.id}/${name}`, page, text)).error, null, name);
  }
  assert.deepEqual(
    (await stored(user)).filter((name) => name.startsWith("app_storage/")).length,
    harmless.length,
  );
});

test("an upload that began before its file was completed does not replace it", async () => {
  const user = await signUp();
  const reserved = await reserve(user);
  const { bucket, path, token } = reserved.body;
  const late = new TransformStream<Uint8Array, Uint8Array>();
  const writer = late.writable.getWriter();
  const { data: { publicUrl } } = anonymousClient().storage.from(bucket).getPublicUrl("");
  const url = publicUrl.replace(/\/object\/public\/.*/, `/object/upload/sign/${bucket}/${path}`);
  // Storage has found nothing at the path when this one starts, and waits for the rest of it.
  const pending = fetch(`${url}?token=${token}`, {
    method: "PUT",
    headers: { "content-type": "image/png" },
    body: late.readable,
  });
  await writer.write(page.subarray(0, 5));
  await send(reserved, PNG);
  assert.equal((await complete(user, reserved)).status, 200);
  await writer.write(page.subarray(5));
  await writer.close();
  const response = await pending;
  assert.ok(!response.ok);
  await response.body?.cancel();
  assert.deepEqual(await bytesOf(user, bucket, path), PNG);
  const [object] = await withDatabase((sql) =>
    sql`select (metadata ->> 'size')::int as size from storage.objects where name = ${path}`
  );
  assert.equal(object?.size, PNG.length);
});
