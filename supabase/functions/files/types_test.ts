import assert from "node:assert/strict";

import { invoke, serviceClient, signUp, test, until, withDatabase } from "../_testing/testing.ts";
import { complete, GIF, PDF, PNG, reserve, send, stored, usage, WAV } from "./files_testing.ts";
import * as samples from "./samples_testing.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const bytesOf = (text: string): Bytes => new TextEncoder().encode(text);

/** A file as a browser or phone sends it: the name, the type that it says, the bytes, and the type that is recorded. */
type Sent = [name: string, type: string, bytes: Bytes, content_type: string];

const RECORDINGS: Sent[] = [
  ["chrome", "audio/webm;codecs=opus", samples.WEBM, "audio/webm"],
  ["chrome.webm", "audio/webm; codecs=opus", samples.WEBM, "audio/webm"],
  ["file.webm", "video/webm", samples.WEBM, "video/webm"],
  ["firefox.ogg", "audio/ogg; codecs=opus", samples.OGG, "audio/ogg"],
  ["android.opus", "audio/opus", samples.OGG, "audio/ogg"],
  ["linux.ogg", "application/ogg", samples.OGG, "audio/ogg"],
  ["safari.m4a", "audio/mp4;codecs=mp4a.40.2", samples.branded(samples.M4A, "iso5"), "audio/mp4"],
  ["iphone.m4a", "audio/x-m4a", samples.M4A, "audio/mp4"],
  ["iphone.m4a", "audio/m4a", samples.branded(samples.M4A, "M4B "), "audio/mp4"],
  ["android.m4a", "audio/mp4a-latm", samples.branded(samples.M4A, "mp42"), "audio/mp4"],
  ["android.mp4", "video/mp4", samples.branded(samples.M4A, "isom"), "video/mp4"],
  ["quicktime.m4a", "audio/mp4", samples.branded(samples.M4A, "qt  "), "audio/mp4"],
  ["android.3gp", "audio/3gpp", samples.THREE_GP, "audio/3gpp"],
  ["android.3gp", "video/3gpp", samples.THREE_GP, "video/3gpp"],
  ["android.aac", "audio/aac", samples.AAC, "audio/aac"],
  ["android.aac", "audio/x-aac", samples.M4A, "audio/aac"],
  ["android.amr", "audio/amr-nb", bytesOf("#!AMR\n\x3c\x91\x17\x16\xbe\x66\x79"), "audio/amr"],
  ["ios.caf", "audio/x-caf", samples.CAF, "audio/x-caf"],
  ["a.mp3", "audio/mp3", samples.MP3, "audio/mpeg"],
  ["a.mp3", "audio/mpeg", samples.TAGGED_MP3, "audio/mpeg"],
  [
    "padded.mp3",
    "audio/x-mpeg",
    new Uint8Array([...new Uint8Array(100), ...samples.MP3]),
    "audio/mpeg",
  ],
  ["a.wav", "audio/x-wav", WAV, "audio/wav"],
  ["a.wav", "audio/wave", WAV, "audio/wav"],
  ["a.wav", "Audio/Vnd.Wave", WAV, "audio/wav"],
  ["a.flac", "audio/x-flac", samples.FLAC, "audio/flac"],
];

const ATTACHMENTS: Sent[] = [
  ["a.jpg", "image/jpg", samples.JPEG, "image/jpeg"],
  ["a.jpg", "image/pjpeg", samples.JPEG, "image/jpeg"],
  ["a.png", "IMAGE/PNG", PNG, "image/png"],
  ["moving.png", "image/png", samples.APNG, "image/png"],
  ["moving.apng", "image/apng", samples.APNG, "image/png"],
  ["a.webp", "image/webp", samples.WEBP, "image/webp"],
  ["a.heic", "image/heic", samples.HEIC, "image/heic"],
  ["a.heif", "image/heif", samples.branded(samples.HEIC, "mif1"), "image/heic"],
  ["burst.heic", "image/heic-sequence", samples.branded(samples.HEIC, "hevc"), "image/heic"],
  ["a.avif", "image/avif", samples.AVIF, "image/avif"],
  ["a.avif", "image/avif", samples.branded(samples.AVIF, "mif1"), "image/avif"],
  ["a.pdf", "application/x-pdf", PDF, "application/pdf"],
  [
    "mail.pdf",
    "application/pdf",
    bytesOf(`${"\r\n".repeat(400)}%PDF-1.7\n%%EOF\n`),
    "application/pdf",
  ],
  ["notes.md", "text/x-markdown", bytesOf("# Notes"), "text/markdown"],
  ["data.csv", "text/comma-separated-values", bytesOf("a,b\n1,2\n"), "text/csv"],
  ["windows.csv", "application/vnd.ms-excel", bytesOf("a,b\n1,2\n"), "text/csv"],
  [
    "latin1.csv",
    "text/csv",
    new Uint8Array([0x47, 0x72, 0xfc, 0xdf, 0x65, 0x2c, 0x31]),
    "text/csv",
  ],
  ["a.txt", "text/plain;charset=utf-8", bytesOf("Grüße"), "text/plain"],
  ...[
    "BM is short for Bayern München",
    "GIF89a is a format",
    "%PDF-like text",
    "ID3 is a tag",
    "II* and MM",
    "PK is a team",
    "RIFF of a guitar",
    "MZ",
    "fLaC",
    "OggS",
    "8BPS",
    "#!AMR\n",
    "\u00ff\u00d8",
  ]
    .map((text): Sent => ["letters.txt", "text/plain", bytesOf(text), "text/plain"]),
];

test("files are taken as browsers, phones and recorders send them", async () => {
  const user = await signUp();
  for (
    const [bucket, files] of [["voice_recordings", RECORDINGS], [
      "chat_attachments",
      ATTACHMENTS,
    ]] as const
  ) {
    for (const [name, type, bytes, content_type] of files) {
      const what = `${name} ${type}`;
      const reserved = await reserve(user, {
        bucket,
        name,
        size: bytes.length,
        content_type: type,
      });
      assert.deepEqual([reserved.status, reserved.body.content_type], [201, content_type], what);
      const { error } = await send(reserved, bytes, type);
      assert.equal(error, null, `${what}: ${error?.message}`);
      const { status, body } = await complete(user, reserved);
      assert.equal(status, 200, `${what}: ${JSON.stringify(body)}`);
      assert.equal(body.content_type, content_type, what);
    }
  }
});

test("a file whose type the browser does not know has the type of its name", async () => {
  const user = await signUp();
  for (
    const [name, type, bytes, content_type] of [
      ["notes.md", "", bytesOf("# Notes"), "text/markdown"],
      ["IMG_1.HEIC", "", samples.HEIC, "image/heic"],
      ["a.avif", "application/octet-stream", samples.AVIF, "image/avif"],
    ] as const
  ) {
    const reserved = await reserve(user, { name, size: bytes.length, content_type: type });
    assert.equal(reserved.body.content_type, content_type, name);
    assert.equal((await send(reserved, bytes, reserved.body.content_type)).error, null, name);
    assert.equal((await complete(user, reserved)).status, 200, name);
  }
  const unknown = await reserve(user, { name: "a.xyz", content_type: "" });
  assert.deepEqual([unknown.status, unknown.body.code], [422, "content_type_not_allowed"]);
  assert.ok(!unknown.body.allowed.includes("image/jpg"));
  // A bucket that takes all types takes them as they are.
  const any = await reserve(user, { bucket: "app_storage", name: "a.png", content_type: "" });
  assert.equal(any.body.content_type, "application/octet-stream");
  assert.equal((await send(any, PNG, "application/octet-stream")).error, null);
  assert.equal((await complete(user, any)).status, 200);
});

test("types whose signature is not known are not refused", async () => {
  const user = await signUp();
  const bytes = bytesOf("P3\n1 1\n255\n0 0 0\n");
  const content_type = "image/x-portable-pixmap";
  const reserved = await reserve(user, { bucket: "app_storage", size: bytes.length, content_type });
  await send(reserved, bytes, content_type);
  assert.equal((await complete(user, reserved)).status, 200);
});

test("a direct upload may name its type in any usual way", async () => {
  const user = await signUp();
  const voice = user.client.storage.from("voice_recordings");
  for (const type of ["audio/webm;codecs=opus", "audio/x-m4a", "audio/mp3"]) {
    const { error } = await voice.upload(
      `${user.id}/${crypto.randomUUID()}`,
      new Blob(["x"], { type }),
    );
    assert.equal(error, null, type);
  }
  const { error } = await user.client.storage.from("chat_attachments")
    .upload(`${user.id}/a.txt`, bytesOf("text"), { contentType: "text/plain;charset=UTF-8" });
  assert.equal(error, null);
});

test("a refused file is kept for a day with the reason", async () => {
  const user = await signUp();
  const reserved = await reserve(user, { size: GIF.length });
  await send(reserved, GIF);
  const refused = await complete(user, reserved);
  assert.deepEqual([refused.status, refused.body.code], [422, "upload_rejected"]);
  const again = await complete(user, reserved);
  assert.deepEqual([again.status, again.body], [422, {
    ...refused.body,
    request_id: again.body.request_id,
  }]);

  const { data } = await user.client.from("file_uploads")
    .select("status, refusal, expires_at, file_path").eq("id", reserved.body.id).single();
  const refusal = { rule: "content", expected: "image/png", actual: "image/gif" };
  assert.deepEqual([data?.status, data?.refusal], ["refused", refusal]);
  const hours = (Date.parse(data?.expires_at ?? "") - Date.now()) / 3_600_000;
  assert.ok(hours > 23.9 && hours <= 24, `${hours}`);
  const object = await user.client.storage.from("chat_attachments").download(reserved.body.path);
  assert.deepEqual(new Uint8Array(await object.data!.arrayBuffer()), GIF);
  const service = serviceClient();
  const completed = await service.rpc("complete_upload", {
    user_id: user.id,
    upload_id: reserved.body.id,
  });
  assert.equal(completed.error?.code, "PT409");

  await withDatabase(async (sql) => {
    await sql`update file_uploads set expires_at = now() where id = ${reserved.body.id}`;
    await sql`select private.clean_up_at_once('expired_uploads')`;
  });
  const cleaned = await invoke(service, "files/usage?user_id=" + user.id);
  assert.equal(cleaned.body.used, 0);
  assert.equal((await complete(user, reserved)).body.code, "upload_not_found");
});

test("a user deletes a refused file like any other", async () => {
  const user = await signUp();
  const reserved = await reserve(user, { size: GIF.length });
  await send(reserved, GIF);
  assert.equal((await complete(user, reserved)).status, 422);
  const { body } = await invoke(user.client, "files", {
    method: "DELETE",
    body: { bucket: "chat_attachments", paths: [reserved.body.path] },
  });
  assert.deepEqual(body.deleted, [reserved.body.path]);
  await until(async () => (await stored(user)).length === 0);
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
});

test("a file comes back under the name that it was reserved with", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  for (
    const name of ["Grüße.png", "日本.png", "👋🏽.png", '~[]{}<>|^`"#%.png', "two words; a=b.png"]
  ) {
    const reserved = await reserve(user, { name });
    assert.match(reserved.body.path, /^[\w/.-]+$/);
    await send(reserved, PNG);
    assert.equal((await complete(user, reserved)).status, 200, name);
    const { path } = reserved.body;
    // Somebody else's record of the path does not count.
    await stranger.client.from("file_uploads").insert({
      user_id: stranger.id,
      file_name: "evil.html",
      file_path: path,
      bucket_name: "chat_attachments",
    });
    const { body } = await invoke(user.client, "files/downloads", {
      body: { bucket: "chat_attachments", paths: [{ path, download: true }] },
    });
    const response = await fetch(body.urls[0].url);
    assert.deepEqual(new Uint8Array(await response.arrayBuffer()), PNG);
    const header = response.headers.get("content-disposition") ?? "";
    const [, encoded = ""] = header.match(/filename\*=UTF-8''([^;]+)/) ?? [];
    assert.equal(decodeURIComponent(encoded), name);
  }
});
