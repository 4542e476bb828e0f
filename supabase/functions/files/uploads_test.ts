import assert from "node:assert/strict";

import { envelope } from "../_testing/envelope.ts";
import { invoke, serviceClient, signUp, test, until } from "../_testing/testing.ts";
import {
  complete,
  GIF,
  PDF,
  PNG,
  reserve,
  send,
  stored,
  TEXT,
  upload,
  usage,
  WAV,
} from "./files_testing.ts";

test("a file of each type is reserved, uploaded, completed and counted", async () => {
  const user = await signUp();
  const cases: [string, Uint8Array<ArrayBuffer>, string, string][] = [
    ["chat_attachments", PNG, "image/png", "png"],
    ["chat_attachments", GIF, "image/gif", "gif"],
    ["chat_attachments", PDF, "application/pdf", "pdf"],
    ["chat_attachments", TEXT, "text/plain", "txt"],
    ["voice_recordings", WAV, "audio/wav", "wav"],
    ["app_storage", new Uint8Array([1, 2, 0, 3]), "application/x-tar", "bin"],
    ["project-files", new Uint8Array([0, 1, 2]), "application/octet-stream", "enc"],
  ];
  let used = 0;
  for (const [bucket, bytes, content_type, extension] of cases) {
    const declared = { bucket, content_type, name: "a file" };
    const { status, body } = await upload(user, bytes, declared);
    assert.equal(status, 200, JSON.stringify(body));
    assert.equal(body.path, `${user.id}/${body.id}.${extension}`);
    assert.equal(body.size, bytes.length);
    used += bytes.length;
    assert.deepEqual(await usage(user), { used, reserved: 0 });
    const { data } = await user.client.storage.from(bucket).download(body.path);
    assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), bytes);
    const { data: record } = await user.client.from("file_uploads").select("*").eq("id", body.id)
      .single();
    assert.equal(record?.status, "complete");
    assert.equal(record?.file_path, body.path);
    assert.equal(record?.file_name, "a file");
    assert.equal(record?.mime_type, content_type);
  }
  const { body } = await invoke(user.client, "files/usage");
  assert.equal(body.allowed, 1024 ** 3);
  const voice = body.buckets.find((bucket: { bucket: string }) =>
    bucket.bucket === "voice_recordings"
  );
  assert.equal(voice.used, WAV.length);
});

test("an upload that differs from its declaration is refused, and the response says why", async () => {
  const user = await signUp();
  const html = new TextEncoder().encode("<script>alert(1)</script>");
  const cases: [string, Uint8Array<ArrayBuffer>, Record<string, unknown>, string, object][] = [
    ["one byte less", PNG.subarray(1), {}, "image/png", { rule: "size", actual: PNG.length - 1 }],
    ["nothing", new Uint8Array(), {}, "image/png", { rule: "size", actual: 0 }],
    ["another type than declared", PNG, {}, "image/gif", {
      rule: "content_type",
      actual: "image/gif",
    }],
    ["a lying type", html, { size: html.length }, "image/png", {
      rule: "content",
      actual: "unknown",
    }],
    ["a lying extension", PDF, { size: PDF.length, name: "a.png" }, "image/png", {
      rule: "content",
      actual: "application/pdf",
    }],
    ["a GIF declared as PNG", GIF, { size: GIF.length }, "image/png", {
      rule: "content",
      actual: "image/gif",
    }],
    ["a PNG declared as text", PNG, { content_type: "text/plain" }, "text/plain", {
      rule: "content",
      actual: "image/png",
    }],
    [
      "text with NUL",
      new Uint8Array([65, 0, 66]),
      { content_type: "text/plain", size: 3 },
      "text/plain",
      {
        rule: "content",
      },
    ],
    [
      "an image declared as audio",
      PNG,
      { bucket: "voice_recordings", content_type: "audio/wav" },
      "audio/wav",
      {
        rule: "content",
        actual: "image/png",
      },
    ],
  ];
  for (const [what, bytes, declared, type, fault] of cases) {
    const reserved = await reserve(user, declared);
    assert.equal(reserved.status, 201, what);
    assert.equal((await send(reserved, bytes, type)).error, null, what);
    const { status, body } = await complete(user, reserved);
    assert.equal(status, 422, what);
    assert.equal(body.code, "upload_rejected", what);
    for (const [key, value] of Object.entries(fault)) assert.equal(body[key], value, what);
    assert.equal((await complete(user, reserved)).body.code, "upload_rejected", what);
    const { path } = reserved.body;
    assert.deepEqual(await stored(user), [`${reserved.body.bucket}/${path}`], what);
    await invoke(user.client, "files", {
      method: "DELETE",
      body: { bucket: reserved.body.bucket, paths: [path] },
    });
    assert.deepEqual(await stored(user), [], what);
    assert.deepEqual(await usage(user), { used: 0, reserved: 0 }, what);
  }
});

test("Storage refuses a file that is too large or of a type that the bucket does not allow, and stores nothing", async () => {
  const user = await signUp();
  const reserved = await reserve(user);
  const oversize = await send(reserved, new Uint8Array(10 * 1024 * 1024 + 1));
  assert.match(oversize.error?.message ?? "", /maximum allowed size/);
  const type = await send(reserved, PNG, "text/html");
  assert.match(type.error?.message ?? "", /mime type text\/html is not supported/);
  assert.deepEqual(await stored(user), []);
  const { status, body } = await complete(user, reserved);
  assert.deepEqual([status, body.code], [409, "upload_missing"]);
  // The upload is still pending.
  assert.equal((await send(reserved, PNG)).error, null);
  assert.equal((await complete(user, reserved)).status, 200);
});

test("completing an upload twice, at once or later, completes it once, and only its owner can", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const reserved = await reserve(user);
  await send(reserved, PNG);
  assert.equal((await complete(stranger, reserved)).status, 404);
  const answers = await Promise.all(Array.from({ length: 5 }, () => complete(user, reserved)));
  for (const { status, body } of answers) {
    assert.equal(status, 200);
    assert.deepEqual(body, answers[0]?.body);
  }
  assert.deepEqual((await complete(user, reserved)).body, answers[0]?.body);
  assert.deepEqual(await usage(user), { used: PNG.length, reserved: 0 });
});

test("an upload can only belong to the user's own chat or project", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P" }).select().single();
  const { data: chat } = await user.client.from("encrypted_chats")
    .insert({ user_id: user.id, encrypted_data: envelope() }).select().single();
  const [project_id, chat_id] = [project?.id ?? "", chat?.id ?? ""];
  const attached = await upload(user, PDF, {
    bucket: "chat_attachments",
    content_type: "application/pdf",
    project_id,
  });
  assert.equal(attached.body.project_id, project_id);
  const image = await upload(user, new Uint8Array([9, 9]), {
    bucket: "chat-images",
    content_type: "application/octet-stream",
    chat_id,
  });
  assert.equal(image.body.path, `${user.id}/${chat_id}/${image.body.id}`);
  for (const target of [{ project_id }, { bucket: "chat-images", chat_id }]) {
    const { status, body } = await reserve(stranger, target);
    assert.equal(status, 404);
    assert.match(body.code, /^(project|chat)_not_found$/);
  }
  assert.deepEqual(await usage(stranger), { used: 0, reserved: 0 });
});

test("an Idempotency-Key reserves once, and renews the URL", async () => {
  const user = await signUp();
  const headers = { "idempotency-key": crypto.randomUUID() };
  const first = await reserve(user, {}, { headers });
  const again = await reserve(user, {}, { headers });
  assert.equal(again.headers.get("idempotent-replayed"), "true");
  assert.equal(again.body.id, first.body.id);
  assert.deepEqual(await usage(user), { used: 0, reserved: PNG.length });
  assert.equal((await reserve(user, { size: 1 }, { headers })).body.code, "idempotency_key_reused");
  await send(again, PNG);
  assert.equal((await complete(user, first)).status, 200);
  assert.equal((await reserve(user, {}, { headers })).body.code, "upload_already_complete");
});

test("a service reserves, completes, deletes and reads the usage for a user", async () => {
  const user = await signUp();
  const service = serviceClient();
  const declared = { bucket: "avatars", name: "a", size: PNG.length, content_type: "image/png" };
  const nobody = await invoke(service, "files/uploads", { body: declared });
  assert.equal(nobody.body.code, "invalid_request");
  const reserved = await invoke(service, "files/uploads", {
    body: { ...declared, user_id: user.id },
  });
  assert.equal(reserved.status, 201);
  await send(reserved, PNG);
  const path = `files/uploads/${reserved.body.id}/complete`;
  assert.equal((await invoke(service, path, { body: { user_id: user.id } })).status, 200);
  const asked = await invoke(service, `files/usage?user_id=${user.id}`);
  assert.equal(asked.body.used, PNG.length);
  const deleted = await invoke(service, "files", {
    method: "DELETE",
    body: { user_id: user.id, bucket: "avatars", paths: [`${user.id}/avatar.jpg`] },
  });
  assert.deepEqual(deleted.body.deleted, [`${user.id}/avatar.jpg`]);
  // The object at the upload path is removed after the response.
  await until(async () => (await stored(user)).length === 0);
});
