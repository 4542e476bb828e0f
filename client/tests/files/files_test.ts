import assert from "node:assert/strict";

import { createClient } from "@supabase/supabase-js";

import { PNG, stored, TEXT, usage } from "../../../supabase/functions/files/files_testing.ts";
import { signUp, stack, test } from "../../../supabase/functions/_testing/testing.ts";
import { createStrongroom, type UploadProgress } from "../../index.ts";
import { startProxy } from "../support/proxy.ts";

const pixel = () => new File([PNG], "Grüße 👋.png", { type: "image/png" });

test("files.upload reserves, sends and completes in one call, and says how far it is", async () => {
  const user = await signUp();
  const { files } = createStrongroom(user.client);
  const progress: UploadProgress[] = [];
  const file = await files.upload(pixel(), {
    bucket: "chat_attachments",
    onProgress: (one) => progress.push(one),
  }).throwOnError();
  assert.deepEqual([file.name, file.size, file.content_type], [
    "Grüße 👋.png",
    PNG.length,
    "image/png",
  ]);
  const total = PNG.length;
  assert.deepEqual(progress, [
    { sent: 0, total, resumable: false },
    { sent: total, total, resumable: false },
  ]);
  assert.deepEqual(await usage(user), { used: total, reserved: 0 });

  const { data } = await files.download(file.bucket, file.path);
  assert.deepEqual(new Uint8Array(await data!.arrayBuffer()), PNG);
  const { url } = await files.url(file.bucket, file.path, { download: true }).throwOnError();
  const response = await fetch(url);
  await response.body?.cancel();
  assert.match(
    response.headers.get("content-disposition") ?? "",
    RegExp(encodeURIComponent("Grüße 👋.png")),
  );
  await files.delete({ bucket: file.bucket, paths: [file.path] }).throwOnError();
  assert.equal((await files.url(file.bucket, file.path)).error?.code, "object_not_found");
  assert.equal((await files.download(file.bucket, file.path)).error?.code, "object_not_found");
});

test("files.upload reserves and completes once if the answers are lost", async () => {
  const user = await signUp();
  await using proxy = startProxy((_route, count) => count === 0 ? "lose answer" : "deliver");
  const supabase = createClient(proxy.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
  });
  const { files } = createStrongroom(supabase, { pause_ms: 1 });
  const text = new Blob([TEXT], { type: "text/plain" });
  const file = await files.upload(text, { bucket: "chat_attachments", name: "a.txt" })
    .throwOnError();
  assert.equal(proxy.requests.length, 4);
  assert.deepEqual(await stored(user), [`chat_attachments/${file.path}`]);
  assert.deepEqual(await usage(user), { used: TEXT.length, reserved: 0 });
});

test("files.upload says why a file is refused: before, while and after it is sent", async () => {
  const user = await signUp();
  const { files } = createStrongroom(user.client);
  const bucket = "chat_attachments";
  const nowhere = await files.upload(pixel(), { bucket: "nowhere" });
  assert.equal(nowhere.error?.code, "bucket_not_found");
  const lying = await files.upload(pixel(), { bucket, content_type: "image/gif" });
  assert.deepEqual([lying.error?.code, lying.error?.fields.rule], ["upload_rejected", "content"]);

  const { data: reserved } = await files.reserve({
    ...{ bucket, name: "a.png", size: PNG.length, content_type: "image/png" },
  });
  const { error } = await files.complete(reserved!.id);
  assert.equal(error?.code, "upload_missing");
});

test("files.upload that is aborted gives the reserved bytes back", async () => {
  const user = await signUp();
  const { files } = createStrongroom(user.client);
  const abort = new AbortController();
  const { error } = await files.upload(pixel(), {
    bucket: "chat_attachments",
    signal: abort.signal,
    onProgress: () => abort.abort(),
  });
  assert.equal(error?.code, "aborted");
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
});
