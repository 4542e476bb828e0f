import assert from "node:assert/strict";

import { signUp, test } from "../supabase/functions/_testing/testing.ts";
import { device, rejection } from "./_testing/devices.ts";
import { ChatConflict } from "./chats.ts";

const PASSWORD = "a password for the chats";

test("Chats: a chat is saved, added to, read on another device and synchronised", async () => {
  const user = await signUp();
  const phone = device(user);
  await phone.keys.setUp(PASSWORD);
  let chat = await phone.save(phone.create(), "Hello", { title: "Greetings", star: true });
  chat = await phone.append(chat, ", world");
  assert.deepEqual([chat.version, chat.content, chat.segments], [2, "Hello", [", world"]]);

  const laptop = device(user);
  const { changed } = await laptop.sync();
  assert.deepEqual(changed, [chat.id]);
  await laptop.keys.unlock({ password: PASSWORD });
  const [summary] = await laptop.list();
  assert.deepEqual([summary?.title, summary?.is_starred], ["Greetings", true]);
  assert.deepEqual(await laptop.open(chat.id), chat);
  assert.deepEqual(await laptop.openKept(chat.id), chat);

  const whole = await laptop.compact(chat);
  assert.deepEqual([whole.content, whole.segments], ["Hello, world", []]);
  const conflict = await rejection(phone.append(chat, "!"), ChatConflict);
  assert.deepEqual(conflict.chat, whole);
  await phone.delete(await phone.rename(whole, "Farewells"));
  assert.deepEqual((await laptop.sync()).removed, [chat.id]);
  assert.deepEqual(await laptop.list(), []);
});
