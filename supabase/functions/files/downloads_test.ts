import assert from "node:assert/strict";

import { invoke, signUp, test, type TestUser } from "../_testing/testing.ts";
import { PDF, PNG, TEXT, upload } from "./files_testing.ts";

const sign = (user: TestUser, body: Record<string, unknown>) =>
  invoke(user.client, "files/downloads", { body: { bucket: "chat_attachments", ...body } });

test("many downloads are signed at once, and paths that the user may not read are listed", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const own = (await upload(user, PNG)).body.path;
  const text = (await upload(user, TEXT, { content_type: "text/plain" })).body.path;
  const theirs = (await upload(stranger, PNG)).body.path;
  const bad = [
    "",
    "../x",
    `${user.id}/../${stranger.id}/x`,
    "/x",
    "a\0b",
    "\ud800",
    "x".repeat(1025),
    "a\nb",
  ];
  const many = Array.from({ length: 1000 - 4 - bad.length }, (_, i) => `${user.id}/none ${i} ü%2f`);
  const { status, body } = await sign(user, {
    paths: [own, theirs, { path: text, download: "Grüße & so.txt" }, own, ...bad, ...many],
  });
  assert.equal(status, 200);
  assert.deepEqual(body.urls.map(({ path }: { path: string }) => path), [own, text, own]);
  assert.deepEqual(
    new Set(body.refused.map(({ path }: { path: string }) => path)),
    new Set([theirs, ...bad, ...many]),
  );
  assert.ok(body.refused.every(({ reason }: { reason: string }) => reason));
  const first = await fetch(body.urls[0].url);
  assert.deepEqual(new Uint8Array(await first.arrayBuffer()), PNG);
  const named = new URL(body.urls[1].url);
  assert.equal(named.searchParams.get("download"), "Grüße & so.txt");
  assert.deepEqual(new Uint8Array(await (await fetch(named)).arrayBuffer()), TEXT);
});

test("a name that no file can have is refused, and any other ends no header", async () => {
  const user = await signUp();
  const { path } = (await upload(user)).body;
  for (const download of ["half \ud83d", "nul \0"]) {
    const refused = await sign(user, { paths: [{ path, download }] });
    assert.deepEqual([refused.status, refused.body.code], [422, "invalid_request"]);
  }
  const download = 'a"\r\nSet-Cookie: x=1';
  const { body } = await sign(user, { paths: [{ path, download }] });
  const response = await fetch(body.urls[0].url);
  await response.body?.cancel();
  assert.equal(response.status, 200);
  assert.equal(response.headers.get("set-cookie"), null);
});

test("files of a team or a public project are signed only as long as the caller may read them", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const { data: project } = await user.client.from("projects")
    .insert({ user_id: user.id, title: "P", is_public: true }).select().single();
  const project_id = project?.id ?? "";
  const { path } = (await upload(user, PDF, { content_type: "application/pdf", project_id })).body;
  const signed = await sign(stranger, { paths: [path] });
  assert.equal(signed.body.urls.length, 1);
  await user.client.from("projects").update({ is_public: false }).eq("id", project_id);
  const refused = await sign(stranger, { paths: [path] });
  assert.deepEqual(refused.body.refused.map(({ path }: { path: string }) => path), [path]);
});

test("a URL is valid for as long as requested, within the bucket's maximum", async () => {
  const user = await signUp();
  const { path } = (await upload(user)).body;
  const long = await sign(user, { paths: [path], expires_in: 86_401 });
  assert.deepEqual([long.status, long.body.code, long.body.maximum], [
    422,
    "expiry_too_long",
    86_400,
  ]);
  assert.equal(long.body.urls, undefined);
  for (const expires_in of [0, -1, 1.5, "1"]) {
    assert.equal((await sign(user, { paths: [path], expires_in })).body.code, "invalid_request");
  }
  const before = Date.now();
  const { body } = await sign(user, { paths: [path], expires_in: 86_400 });
  const after = Date.now();
  const token = new URL(body.urls[0].url).searchParams.get("token") ?? "";
  const { exp, iat } = JSON.parse(atob(token.split(".")[1] ?? ""));
  assert.equal(exp - iat, 86_400);
  // Storage counts in whole seconds.
  for (const [end, unit] of [[exp * 1000, 1000], [Date.parse(body.expires_at), 1]] as const) {
    const signed = end - 86_400_000;
    assert.ok(signed > before - unit && signed < after + unit, `${signed} ${before} ${after}`);
  }
});

test("a request that cannot be signed at all has its code", async () => {
  const user = await signUp();
  const cases: [Record<string, unknown>, number, string][] = [
    [{ bucket: "none", paths: ["x"] }, 404, "bucket_not_found"],
    [{ paths: [] }, 422, "invalid_request"],
    [{ paths: Array(1001).fill("x") }, 422, "invalid_request"],
    [{ paths: [{ path: "x" }] }, 422, "invalid_request"],
    [{ paths: "x" }, 422, "invalid_request"],
    [{ bucket: "a\0", paths: ["x"] }, 422, "invalid_request"],
  ];
  for (const [body, status, code] of cases) {
    const answer = await sign(user, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code]);
  }
  assert.deepEqual((await sign(user, { paths: ["../x"] })).body.urls, []);
});
