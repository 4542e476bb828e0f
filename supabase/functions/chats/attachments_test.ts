import assert from "node:assert/strict";

import { removeQueuedObjects } from "../_storage/removals.ts";
import { envelope } from "../_testing/envelope.ts";
import {
  type Answer,
  invoke,
  serviceClient,
  signUp,
  test,
  type TestUser,
} from "../_testing/testing.ts";
import { save, setKeys } from "./chats_testing.ts";

const service = serviceClient();

const reserve = (user: TestUser, chat: string, body: unknown): Promise<Answer> =>
  invoke(user.client, `chats/${chat}/attachments`, { body: body as Record<string, unknown> });

async function chatOf(user: TestUser): Promise<{ id: string; key: string }> {
  const key = await setKeys(user);
  const id = crypto.randomUUID();
  await save(user, id, { expected_version: 0, encrypted_data: envelope(key) });
  return { id, key };
}

async function upload(user: TestUser, reserved: Answer, bytes: string): Promise<void> {
  const { upload_path, token } = reserved.body;
  const { error } = await user.client.storage.from("chat-images")
    .uploadToSignedUrl(upload_path, token, new Blob([bytes]));
  if (error) throw error;
}

test("an attachment is reserved in its chat's folder, uploaded, completed, and deleted with the chat", async () => {
  const user = await signUp();
  const chat = await chatOf(user);
  const bytes = envelope(chat.key, 5000);
  const reserved = await reserve(user, chat.id, { size: bytes.length });
  assert.equal(reserved.status, 201, JSON.stringify(reserved.body));
  const { id, path } = reserved.body;
  assert.equal(path, `${user.id}/${chat.id}/${id}`);

  await upload(user, reserved, bytes);
  const done = await invoke(user.client, `files/uploads/${id}/complete`, { method: "POST" });
  assert.deepEqual([done.status, done.body.chat_id, done.body.size], [200, chat.id, bytes.length]);
  const { data } = await user.client.storage.from("chat-images").download(path);
  assert.equal(await data?.text(), bytes);

  await invoke(user.client, `chats/${chat.id}`, { method: "DELETE" });
  while ((await removeQueuedObjects(service)).rows > 0);
  const gone = await service.storage.from("chat-images").download(path);
  assert.equal(gone.data, null);
  const usage = await invoke(user.client, "files/usage");
  assert.deepEqual([usage.body.used, usage.body.reserved], [0, 0]);
});

test("a pending attachment is deleted with its chat too", async () => {
  const user = await signUp();
  const chat = await chatOf(user);
  const bytes = envelope(chat.key);
  const reserved = await reserve(user, chat.id, { size: bytes.length });
  await upload(user, reserved, bytes);
  await invoke(user.client, `chats/${chat.id}`, { method: "DELETE" });
  while ((await removeQueuedObjects(service)).rows > 0);
  const gone = await service.storage.from("chat-images").download(reserved.body.path);
  assert.equal(gone.data, null);
  const late = await invoke(user.client, `files/uploads/${reserved.body.id}/complete`, {
    method: "POST",
  });
  assert.deepEqual([late.status, late.body.code], [404, "upload_not_found"]);
});

test("an attachment to another user's chat, to no chat or of a bad size is refused and reserves nothing", async () => {
  const user = await signUp();
  const chat = await chatOf(user);
  const stranger = await signUp();
  for (
    const [who, id, body, status, code] of [
      [stranger, chat.id, { size: 10 }, 404, "chat_not_found"],
      [stranger, crypto.randomUUID(), { size: 10 }, 404, "chat_not_found"],
      [user, "not-a-uuid", { size: 10 }, 422, "invalid_request"],
      [user, chat.id, {}, 422, "invalid_request"],
      [user, chat.id, { size: "10" }, 422, "invalid_request"],
      [user, chat.id, { size: 10, name: "holiday.jpg" }, 422, "invalid_request"],
      [user, chat.id, { size: 0 }, 422, "invalid_size"],
      [user, chat.id, { size: -1 }, 422, "invalid_size"],
      [user, chat.id, { size: 14 * 1024 * 1024 + 1 }, 413, "file_too_large"],
    ] as const
  ) {
    const answer = await reserve(who, id, body);
    assert.deepEqual([answer.status, answer.body.code], [status, code], JSON.stringify(body));
  }
  for (const { client } of [user, stranger]) {
    const { body } = await invoke(client, "files/usage");
    assert.equal(body.reserved, 0);
  }
});
