import assert from "node:assert/strict";

import { removeQueuedObjects } from "../_storage/removals.ts";
import {
  cronClient,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
  until,
  withDatabase,
} from "../_testing/testing.ts";
import { envelope } from "../_testing/envelope.ts";
import { PDF, PNG, reserve, send, stored, upload, usage } from "./files_testing.ts";

const service = serviceClient();

/** The queued removals of a user. */
async function queued(user: TestUser) {
  return await withDatabase((sql) =>
    sql`select bucket_id, name, attempts, last_error from private.storage_removals
      where name like ${`${user.id}/%`} order by bucket_id`
  );
}

/** Makes failed removals due again. */
async function makeDue(bucket: string): Promise<void> {
  await withDatabase((sql) =>
    sql`update private.storage_removals set due_at = now() where bucket_id = ${bucket}`
  );
}

/** Processes the queue, as the cleanup job does. */
async function runQueue(): Promise<void> {
  while ((await removeQueuedObjects(service)).rows > 0);
}

test("files are deleted with their records, and only by their owner", async () => {
  const [user, stranger] = await Promise.all([signUp(), signUp()]);
  const own = (await upload(user)).body.path;
  const pending = await reserve(user);
  await send(pending, PNG);
  const direct = `${user.id}/direct.txt`;
  await user.client.storage.from("chat_attachments")
    .upload(direct, new Blob(["x"], { type: "text/plain" }));
  const remove = (by: TestUser, paths: string[]) =>
    invoke(by.client, "files", { method: "DELETE", body: { bucket: "chat_attachments", paths } });

  const theirs = await remove(stranger, [own, direct, pending.body.path]);
  assert.deepEqual(theirs.body.deleted, []);
  assert.equal((await stored(user)).length, 3);

  const paths = [own, direct, pending.body.path];
  const { status, body } = await remove(user, [...paths, own, "../x", `${stranger.id}/x`]);
  assert.equal(status, 200);
  assert.deepEqual(body.deleted.sort(), paths.sort());
  assert.deepEqual(body.not_found, ["../x", `${stranger.id}/x`]);
  assert.deepEqual(await stored(user), []);
  assert.deepEqual(await usage(user), { used: 0, reserved: 0 });
  assert.equal((await queued(user)).length, 0);
  assert.deepEqual((await remove(user, paths)).body.deleted, []);
  assert.equal((await remove(user, [])).body.code, "invalid_request");
});

test("deleting an account leaves no object behind once the queue is processed", async () => {
  const user = await signUp();
  const { data: chat } = await user.client.from("encrypted_chats")
    .insert({ user_id: user.id, encrypted_data: envelope() }).select().single();
  await upload(user);
  await upload(user, PNG, { bucket: "avatars" });
  await upload(user, PNG, { bucket: "user-avatars" });
  await upload(user, PDF, {
    bucket: "chat-images",
    content_type: "application/pdf",
    chat_id: chat?.id ?? "",
  });
  for (const bucket of ["project-files", "app_storage", "voice_recordings"]) {
    const file = new Blob(["x"], { type: "audio/wav" });
    for (const name of ["a/b c", "direct"]) {
      const { error } = await user.client.storage.from(bucket).upload(`${user.id}/${name}`, file);
      assert.equal(error, null);
    }
  }
  const pending = await reserve(user);
  await send(pending, PNG);
  const late = await reserve(user);
  assert.ok((await stored(user)).length >= 11);

  await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
  await runQueue();
  // Waits for removals that still run after a response.
  await until(async () => (await queued(user)).length === 0);
  assert.deepEqual(await stored(user), []);

  // The session token and the upload URL stay valid for a while.
  const direct = await user.client.storage.from("app_storage").upload(
    `${user.id}/x`,
    new Blob(["x"]),
  );
  assert.match(direct.error?.message ?? "", /row-level security/);
  await send(late, PNG);
  await withDatabase(async (sql) => {
    await sql`update private.spent_uploads set expires_at = now() - interval '1 hour' where user_id = ${user.id}`;
    await sql`select private.clean_up_at_once('expired_uploads')`;
  });
  await runQueue();
  assert.deepEqual(await stored(user), []);
  const left = await withDatabase((sql) =>
    sql`select from private.spent_uploads where user_id = ${user.id}`
  );
  assert.equal(left.length, 0);
});

test("deleting a chat deletes its images, except those that another chat lists", async () => {
  const user = await signUp();
  const newChat = async (image_paths: string[]) => {
    const { data } = await user.client.from("encrypted_chats")
      .insert({ user_id: user.id, encrypted_data: envelope(), image_paths }).select().single();
    return data?.id ?? "";
  };
  const bucket = user.client.storage.from("chat-images");
  const image = async (name: string) => {
    await bucket.upload(`${user.id}/${name}`, new Blob(["x"]));
    return `${user.id}/${name}`;
  };
  const [listed, shared] = [await image("listed"), await image("shared")];
  const chat = await newChat([listed, shared]);
  await newChat([shared]);
  await image(`${chat}/1_a.enc`);
  await upload(user, PNG, { bucket: "chat-images", chat_id: chat });
  await user.client.from("encrypted_chats").delete().eq("id", chat);
  await runQueue();
  assert.deepEqual(await stored(user), [`chat-images/${shared}`]);
});

test("a file stays if another project that lists it is deleted", async () => {
  const user = await signUp();
  const newProject = async (title: string) => {
    const { data } = await user.client.from("projects").insert({ user_id: user.id, title })
      .select().single();
    return data?.id ?? "";
  };
  const [project_id, other] = [await newProject("One"), await newProject("Two")];
  const { body } = await upload(user, PNG, { bucket: "project-files", project_id });
  const { error } = await user.client.from("project_files").insert({
    project_id: other,
    file_name: "a",
    storage_path: body.path,
    file_type: "x",
    file_size: PNG.length,
  });
  assert.equal(error, null);
  const remove = async (project_id: string) => {
    const permanent = { user_id: user.id, project_id, permanent: true };
    assert.equal((await service.rpc("delete_project", permanent)).error, null);
    await runQueue();
  };
  await remove(other);
  assert.deepEqual(await stored(user), [`project-files/${body.path}`]);
  const { data } = await user.client.from("file_uploads").select("project_id");
  assert.deepEqual(data, [{ project_id }]);
  await remove(project_id);
  assert.deepEqual(await stored(user), []);
});

test("an object that Storage fails to remove stays queued with the reason, delays no other, and is tried again", async () => {
  const user = await signUp();
  await upload(user);
  const bad = `test-${crypto.randomUUID()}`;
  await withDatabase(async (sql) => {
    await sql`insert into private.bucket_rules (bucket_id, path, max_file_size)
      values (${bad}, '{user_id}/{id}', 1)`;
    await sql`insert into storage.objects (bucket_id, name) values (${bad}, ${`${user.id}/x`})`;
    // Its removal fails in Storage's own database.
    await sql`create function private.fail_removal() returns trigger language plpgsql
      set search_path = '' as $$ begin raise exception 'ill' using errcode = '53100'; end $$`;
    await sql.unsafe(`create trigger fail_removal before delete on storage.objects for each row
      when (old.bucket_id = '${bad}') execute function private.fail_removal()`);
  });
  try {
    await withDatabase((sql) => sql`delete from auth.users where id = ${user.id}`);
    await removeQueuedObjects(service);
    const [left, ...more] = await queued(user);
    assert.deepEqual([left?.bucket_id, left?.attempts, more.length], [bad, 1, 0]);
    assert.ok(left?.last_error);
    assert.deepEqual(await stored(user), [`${bad}/${user.id}/x`]);

    // If Storage removes nothing at all, the job has failed and is still due.
    await runQueue();
    await makeDue(bad);
    const { body } = await invoke(cronClient(), "cleanup", {
      body: { jobs: ["storage_removals"] },
    });
    assert.equal(body.jobs[0].outcome, "failed");
    assert.match(body.jobs[0].error, /Storage failed for all 1 objects/);
    assert.equal((await queued(user))[0]?.attempts, 2);
  } finally {
    await withDatabase((sql) => sql`drop function private.fail_removal cascade`);
  }
  await makeDue(bad);
  await runQueue();
  assert.equal((await queued(user)).length, 0);
  assert.deepEqual(await stored(user), []);
  await withDatabase((sql) => sql`delete from private.bucket_rules where bucket_id = ${bad}`);
});
