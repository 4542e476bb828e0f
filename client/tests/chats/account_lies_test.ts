/**
 * A server that lies about the history of an account: it leaves out, deletes, brings back and rolls back. Each
 * attack fails by name, the device keeps what it had, and the truth is shown as soon as the server tells it.
 */

import assert from "node:assert/strict";

import { test } from "../../../supabase/functions/_testing/testing.ts";
import { type Chats, type ChatsError } from "../../mod.ts";
import { code, deceived, inSync, recorded, showsTruth } from "../support/history_lies.ts";
import { type Json, type Lie } from "../support/lying_server.ts";

test("history: chats that are left out, deleted or brought back by the server are noticed", async () => {
  const { server, laptop, fresh, phone, a, b } = await deceived();
  await laptop.open(a.id);
  const gone = await phone.save(phone.create(), "gone");
  const [row] = await recorded(server, () => laptop.sync());
  await phone.delete(gone);
  await laptop.sync();
  const added = await phone.save(phone.create(), "new");
  const chats = await fresh();
  const back = row.changes[0];
  const listing = (change: (changes: Json[]) => Json[]) =>
    inSync((answer) => ({ ...answer, changes: change(answer.changes) }));
  // The user is told which of the stored ones are missing.
  const hidden = listing((all) => all.filter(({ id }) => id !== a.id && id !== added.id));
  const error = await server.telling(hidden, () => laptop.sync());
  assert.deepEqual((error as ChatsError).fields.missing, [a.id]);
  for (
    const [name, lie] of [
      ["a new chat is left out", listing((all) => all.filter(({ id }) => id !== added.id))],
      [
        "an old chat is left out",
        listing((all) => [
          ...all.filter(({ id }) => id !== a.id && id !== added.id),
        ]),
      ],
      ["all chats are left out", listing(() => [])],
      [
        "a chat is deleted",
        listing((all) => [
          ...all.filter(({ id }) => id !== a.id),
          { id: a.id, deleted: true },
        ]),
      ],
      ["a deleted chat is brought back", listing((all) => [...all, back])],
    ] as [string, Lie][]
  ) {
    for (const device of [laptop, chats]) {
      assert.equal(code(await server.telling(lie, () => device.sync())), "history_false", name);
    }
    assert.deepEqual(await laptop.openKept(a.id), a, name);
  }
  await showsTruth(laptop, phone);
  await showsTruth(chats, phone);
  assert.equal((await laptop.list()).length, 3);
  assert.equal((await laptop.open(b.id)).content, "B");
});

test("history: what one answer hides, the next one brings", async () => {
  const { server, laptop, phone, a } = await deceived();
  await phone.append(a, "A4 ");
  const hide = inSync((answer) => server.told === 0 ? { ...answer, changes: [] } : undefined);
  const result = await server.telling(hide, () => laptop.sync()) as { verified: boolean };
  assert.equal(result.verified, true);
  await showsTruth(laptop, phone);
});

test("history: the head of the account cannot be left out, rolled back or moved", async () => {
  const { server, laptop, fresh, phone, a } = await deceived();
  const [{ history: before }] = await recorded(server, () => laptop.sync());
  await phone.append(a, "A4 ");
  const chats = await fresh();
  await chats.sync();
  await phone.star(await phone.open(a.id), true);
  const head = (change: (history: Json) => Json) =>
    inSync((answer) => ({ ...answer, history: change(answer.history) }));
  for (
    const [name, lie, expected] of [
      ["none", head(() => null), "history_missing"],
      ["an older one", head(() => before), "history_rolled_back"],
      [
        "an older one under the counter",
        head(({ counter }) => ({ ...before, counter })),
        "decryption_failed",
      ],
      ["another text", head((history) => ({ ...history, sealed: "{}" })), "history_false"],
      ["no counter", head((history) => ({ ...history, counter: 0 })), "unexpected_answer"],
      ["no text", head((history) => ({ ...history, sealed: 1 })), "unexpected_answer"],
    ] as [string, Lie, string][]
  ) {
    assert.equal(code(await server.telling(lie, () => chats.sync())), expected, name);
  }
  // A new device cannot know, but sees that something is wrong if the chats are not those of the head.
  const other = await fresh();
  assert.equal(code(await server.telling(head(() => null), () => other.sync())), "history_missing");
  assert.equal(code(await server.telling(head(() => before), () => other.sync())), "history_false");
  await showsTruth(laptop, phone);
  await showsTruth(other, phone);
});

test("history: the refusal of a change is checked like any other answer", async () => {
  const { server, laptop, phone, a } = await deceived();
  const [{ history: before }] = await recorded(server, () => laptop.sync());
  let chat = await phone.append(a, "A4 ");
  await laptop.sync();
  chat = await laptop.open(a.id);
  const problem = { code: "history_conflict", detail: "Conflict" };
  server.status = 409;
  for (
    const [name, answer, expected] of [
      ["no head", () => problem, "history_missing"],
      ["the known head", (history) => ({
        ...problem,
        history: { ...history, unproven_deletions: 0 },
      }), "false_answer"],
      ["an older head", () => ({ ...problem, history: before }), "history_rolled_back"],
      ["no object", () => ({ ...problem, history: 1 }), "unexpected_answer"],
      ["another text", ({ counter }) => ({
        ...problem,
        history: { counter: counter + 1, sealed: "{}", unproven_deletions: 0 },
      }), "history_false"],
    ] as [string, (history: Json) => Json, string][]
  ) {
    const { history } = await laptop.store.state();
    const lie: Lie = (_, { method }) => method === "POST" ? answer(history) : undefined;
    assert.equal(
      code(await server.telling(lie, () => laptop.append(chat, "more"))),
      expected,
      name,
    );
    await laptop.sync();
    chat = await laptop.open(a.id);
  }
  server.status = 200;
  await showsTruth(laptop, phone);
});

test("history: the user accepts no head from before one that was seen, though its chats are the present ones", async () => {
  const { server, laptop, phone } = await deceived();
  const [{ history: before }] = await recorded(server, () => laptop.sync());
  await phone.delete(await phone.save(phone.create(), "gone"));
  await laptop.sync();
  const older = inSync((answer) => ({ ...answer, history: before }));
  const error = await server.telling(older, () => laptop.sync({ startOver: true }));
  assert.equal(code(error), "history_conflict");
  await showsTruth(laptop, phone);
});

test("history: a deletion that nothing proves removes nothing, until the user accepts it", async () => {
  const { server, laptop, fresh, phone, a, b } = await deceived();
  await laptop.open(a.id);
  const claim = inSync((answer) => ({
    ...answer,
    history: { ...answer.history, unproven_deletions: 1 },
    changes: [...answer.changes.filter(({ id }: Json) => id !== a.id), { id: a.id, deleted: true }],
  }));
  const result = await server.telling(claim, () => laptop.sync());
  const { unproven, verified, removed, kept } = result as Awaited<ReturnType<Chats["sync"]>>;
  assert.deepEqual([unproven, verified, removed, kept], [[a.id], false, [], [a.id]]);
  assert.deepEqual(await laptop.openKept(a.id), a);
  // A chat with unsaved changes stays in any case.
  await laptop.markUnsaved(a.id, true);
  const again = await server.telling(claim, () => laptop.sync());
  assert.deepEqual((again as Awaited<ReturnType<Chats["sync"]>>).unproven, []);
  await laptop.markUnsaved(a.id, false);
  await laptop.sync({ startOver: true });
  await laptop.open(a.id);
  // The claim must be about as many chats as are missing.
  const two = inSync((answer) => ({
    ...answer,
    history: { ...answer.history, unproven_deletions: 2 },
    changes: answer.changes.filter(({ id }: Json) => id !== a.id),
  }));
  assert.equal(
    code(await server.telling(two, async () => await (await fresh()).sync())),
    "history_false",
  );
  await showsTruth(laptop, phone);
  assert.equal((await laptop.open(b.id)).verified, true);
});

test("history: a server that lets nobody continue it after a rotation stops a change, and not the device for ever", async () => {
  const { server, laptop, password, phone, a } = await deceived();
  let refused = 0;
  // A client that never gives up would come to the end of the lie.
  server.swallow = async (_, path) =>
    await Promise.resolve(path === "chats/history" && refused++ < 20 ? {} : undefined);
  await laptop.keys.unlock({ password });
  const { recoveryKey } = await laptop.keys.rotate(password);
  assert.ok(recoveryKey);
  const append = async () => await laptop.append(await laptop.open(a.id), "A4 ");
  assert.equal(code(await append().catch((error: unknown) => error)), "history_unproven");
  server.swallow = undefined;
  assert.deepEqual((await append()).segments.at(-1), "A4 ");
  await phone.keys.unlock({ password });
  await showsTruth(laptop, phone);
});
