/**
 * A server that lies about attachments: it exchanges, moves, cuts, repeats and leaves out.
 */

import assert from "node:assert/strict";
import { createClient } from "@supabase/supabase-js";

import { stack, test } from "../../../supabase/functions/_testing/testing.ts";
import { type Attachment, Attachments } from "../../attachments/attachments.ts";
import { newUser } from "../support/devices.ts";

const code = (error: unknown) => (error as { code?: string })?.code;

/** Changes what a server answers; `undefined` leaves it as it is. `text` is what was stored, or a list. */
type Lie = (path: string, text: string) => string | undefined | Promise<string | undefined>;

/** A user with two chats, whose laptop talks to a lying server. */
async function deceived() {
  const { user, phone } = await newUser();
  let lie: Lie | undefined;
  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
    global: {
      fetch: async (input, init) => {
        const response = await fetch(input, init);
        const path = new URL(new Request(input, init).url).pathname;
        if (!lie || !/\/(object|file_uploads|attachments)/.test(path)) return response;
        const text = await response.text();
        const told = await lie(path, text);
        const { status, headers } = response;
        const honest = told === undefined;
        return new Response(honest ? text : told, { status: honest ? status : 200, headers });
      },
    },
  });
  const attachments = new Attachments(supabase, user.id, phone.keys);
  const [chat, other] = [
    await phone.save(phone.create(), "Holidays"),
    await phone.save(phone.create(), "Work"),
  ];
  const add = (chat_id: string, text: string) =>
    attachments.add(chat_id, new Blob([text]), { name: `${text}.txt` });
  /** Tells a lie while something runs, and returns its result or the code of its error. */
  const telling = async <T>(told: Lie, run: () => Promise<T>): Promise<T | string | undefined> => {
    lie = told;
    const result = await run().catch(code);
    lie = undefined;
    return result;
  };
  const stored = async (chat_id: string, id: string) => {
    const { data } = await supabase.storage.from("chat-images").download(
      `${user.id}/${chat_id}/${id}`,
    );
    return await data!.text(); // it was added
  };
  return { attachments, chat, other, add, telling, stored };
}

/** Answers with another object than the one with this id. */
const inPlaceOf = (id: string, instead: string): Lie => (path) =>
  path.endsWith(`/${id}`) ? instead : undefined;

const inList = (change: (rows: { id: string }[]) => unknown): Lie => (path, text) =>
  path.endsWith("/file_uploads") ? JSON.stringify(change(JSON.parse(text))) : undefined;

test("attachments: another object, one of another chat, or a part of one opens in no place", async () => {
  const { attachments, chat, other, add, telling, stored } = await deceived();
  const [first, second] = [await add(chat.id, "first"), await add(chat.id, "other")];
  const elsewhere = await add(other.id, "there");
  const chunk = ({ chunks }: Attachment) => chunks[0]!.id; // it has one
  const whole = await stored(chat.id, chunk(first));
  const { nonce, ...members } = JSON.parse(whole);
  const open = () => attachments.open(chat.id, first);
  const list = () => attachments.list(chat.id);
  for (
    const [name, id, instead, run, expected] of [
      ["another file", chunk(first), await stored(chat.id, chunk(second)), open],
      ["a file of another chat", chunk(first), await stored(other.id, chunk(elsewhere)), open],
      ["the manifest as the file", chunk(first), await stored(chat.id, first.id), open],
      ["half of it", chunk(first), whole.slice(0, whole.length / 2), open, "malformed_envelope"],
      [
        "a shorter ciphertext",
        chunk(first),
        JSON.stringify({ ...members, nonce, ciphertext: members.ciphertext.slice(0, 64) }),
        open,
      ],
      ["nothing", chunk(first), "", open, "malformed_envelope"],
      ["another name", first.id, await stored(chat.id, second.id), list],
      ["a name of another chat", first.id, await stored(other.id, elsewhere.id), list],
    ] as [string, string, string, () => Promise<unknown>, string?][]
  ) {
    const refused = await telling(inPlaceOf(id, instead), run);
    assert.equal(refused, expected ?? "decryption_failed", name);
  }
  // An older client has kept no nonce: then the size is not enough.
  const { id, ...about } = first;
  const manifest = { ...about, id, chunks: [{ id, size: JSON.stringify(about).length }] };
  assert.equal(await attachments.open(chat.id, manifest).catch(code), "decryption_failed");
  assert.equal(await (await attachments.open(chat.id, first)).text(), "first");
});

test("attachments: two chunks to which the server has given the same id do not take each other's place", async () => {
  const { attachments, chat, add, telling, stored } = await deceived();
  const first = await add(chat.id, "first");
  const { id } = first.chunks[0]!; // it has one
  const before = await stored(chat.id, id);
  let reserved = 0;
  // The first object that is reserved for the other file is its chunk. What is sent for it is lost on the way.
  const sameId: Lie = (path, text) =>
    path.endsWith("/attachments") && reserved++ === 0
      ? JSON.stringify({ ...JSON.parse(text), id })
      : undefined;
  const second = await telling(sameId, () => add(chat.id, "other"));
  assert.ok(typeof second === "object", `${second}`);
  assert.equal(second.chunks[0]?.id, id);
  const refused = await telling(inPlaceOf(id, before), () => attachments.open(chat.id, second));
  assert.equal(refused, "decryption_failed");
  assert.equal(await (await attachments.open(chat.id, first)).text(), "first");
  // An older client has kept no nonce, and cannot tell.
  const { nonce: _, ...older } = second.chunks[0]!; // as above
  const shown = await telling(
    inPlaceOf(id, before),
    () => attachments.open(chat.id, { ...second, chunks: [older] }),
  );
  assert.equal(await (shown as Blob).text(), "first");
});

test("attachments: one that is listed twice, and chunks that are listed, add nothing; a list ends; one that is left out or brought back is believed", async () => {
  const { attachments, chat, other, add, telling, stored } = await deceived();
  const [first, second] = [await add(chat.id, "first"), await add(chat.id, "other")];
  const elsewhere = await add(other.id, "there");
  const list = (change: (rows: { id: string }[]) => unknown) =>
    telling(inList(change), () => attachments.list(chat.id));
  assert.deepEqual(await list((rows) => [...rows, ...rows]), [first, second]);
  assert.deepEqual(await list((rows) => [...rows, ...first.chunks]), [first, second]);
  assert.equal(await list((rows) => [...rows, { id: elsewhere.id }]), "object_not_found");
  for (const rows of [[{ id: "../first" }], [{}], { id: first.id }, null]) {
    assert.equal(await list(() => rows), "unexpected_answer", JSON.stringify(rows));
  }
  let pages = 0;
  // A client that never gives up would come to the end of the lie.
  const endless = () =>
    ++pages > 150 ? [] : Array.from({ length: 1000 }, () => ({ id: crypto.randomUUID() }));
  assert.equal(await list(endless), "false_answer");
  assert.deepEqual(await list((rows) => rows.filter(({ id }) => id !== first.id)), [second]);
  // What the app has kept in the chat opens all the same.
  assert.equal(await (await attachments.open(chat.id, first)).text(), "first");
  const manifest = await stored(chat.id, second.id);
  await attachments.remove(chat.id, second);
  assert.deepEqual(await attachments.list(chat.id), [first]);
  const back = inList((rows) => [...rows, second]);
  const kept = inPlaceOf(second.id, manifest);
  const listed = await telling(
    async (path, text) => await back(path, text) ?? kept(path, text),
    () => attachments.list(chat.id),
  );
  assert.deepEqual(listed, [first, second]);
});
