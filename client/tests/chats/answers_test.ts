/**
 * What the readers of answers refuse: each check by itself, where the answers of a lying server would meet several.
 */

import assert from "node:assert/strict";

import {
  type Known,
  readAccountHead,
  readChatPage,
  readHistoryChange,
  readIds,
  readStoredChat,
  readSyncPage,
} from "../../chats/answers.ts";
import { Members } from "../../chats/members.ts";

const ID = "c4a70000-0000-4000-8000-00000000000a";
const OTHER = "c4a70000-0000-4000-8000-00000000000b";

const FALSE = { code: "false_answer" };
const UNEXPECTED = { code: "unexpected_answer" };

/** A chat whose content was saved in version 3, and to which two segments were appended since. */
const chat = (changes: Record<string, unknown> = {}) => ({
  ...{ id: ID, version: 5, data_version: 3, next_segment: 2, is_starred: false, head: null },
  ...{ encrypted_title: null, created_at: "2026-01-01T00:00:00Z", deleted: false },
  updated_at: "2026-01-02T00:00:00Z",
  ...changes,
});

Deno.test("answers: the numbers of a chat fit together", () => {
  const read = (changes: Record<string, unknown>) => readStoredChat(new Members(chat(changes)));
  assert.equal(read({}).version, 5);
  assert.equal(read({ version: 3 }).version, 3);
  assert.throws(() => read({ data_version: 6 }), FALSE);
  assert.equal(read({ next_segment: 4 }).next_segment, 4);
  assert.throws(() => read({ next_segment: 5 }), FALSE);
});

Deno.test("answers: a page of a chat has no more segments than versions that could have made them", () => {
  const none: Known = { chat: undefined, content: undefined };
  const page = (from: number, count: number, changes: Record<string, unknown>) => ({
    ...chat(changes),
    ...{ encrypted_data: "envelope", has_more: false },
    segments: Array.from({ length: count }, (_, index) => ({
      number: from + index,
      encrypted_data: "envelope",
    })),
  });
  const read = (from: number, count: number, changes: Record<string, unknown>) =>
    readChatPage(page(from, count, changes), ID, none).segments.length;
  assert.equal(read(0, 2, {}), 2);
  // Before the content of version 3 there were at most two segments, and after it one for each version.
  assert.equal(read(2, 2, { next_segment: 4 }), 2);
  assert.throws(() => read(3, 1, { next_segment: 4 }), FALSE);
  assert.throws(() => read(1, 3, { next_segment: 4 }), FALSE);
});

Deno.test("answers: a page of a sync has at most the chats that were asked for, and a cursor that can be sent", () => {
  const page = (changes: Record<string, unknown>) => ({
    ...{ cursor: "7-7", has_more: false, key_version: 1, history: null },
    changes: [chat(), chat({ id: OTHER })],
    ...changes,
  });
  const digits = "1".repeat(18);
  assert.equal(readSyncPage(page({}), "5", 2).changes.length, 2);
  assert.equal(readSyncPage(page({ cursor: `${digits}-${digits}` }), "5", 2).changes.length, 2);
  assert.throws(() => readSyncPage(page({}), "5", 1), UNEXPECTED);
  for (const cursor of [`${digits}1`, `7-${digits}1`, "7-", "-7", "7-7-7", "7\n", " 7", "٧"]) {
    assert.throws(() => readSyncPage(page({ cursor }), "5", 2), FALSE, cursor);
  }
  for (const changes of [{}, null, "chats", undefined]) {
    assert.throws(() => readSyncPage(page({ changes }), "5", 2), UNEXPECTED);
  }
  for (const changes of [[[]], [null], ["chat"], [[chat()]]]) {
    assert.throws(() => readSyncPage(page({ changes }), "5", 2), UNEXPECTED);
  }
  for (const answer of [[], [page({})], null, "page"]) {
    assert.throws(() => readSyncPage(answer, "5", 2), UNEXPECTED);
  }
});

Deno.test("answers: ids come in order, after the one that was asked for, and not too many", () => {
  const read = (...ids: string[]) =>
    readIds(ids.map((id) => ({ id })), "id", { after: ID, limit: 2 });
  const later = "c4a70000-0000-4000-8000-00000000000c";
  assert.deepEqual(read(OTHER, OTHER), [OTHER, OTHER]);
  assert.throws(() => read(later, OTHER), FALSE);
  assert.throws(() => read(ID, later), FALSE);
  assert.throws(() => read(OTHER, OTHER, later), UNEXPECTED);
});

Deno.test("answers: a head of the account has a length, and its change the counter that was sent", () => {
  const head = (length: number) =>
    new Members({ counter: 1, sealed: "x".repeat(length), unproven_deletions: 0 });
  assert.equal(readAccountHead(head(8192)).counter, 1);
  assert.throws(() => readAccountHead(head(8193)), UNEXPECTED);
  readHistoryChange({ counter: 7 }, 7);
  for (const counter of [6, 8]) assert.throws(() => readHistoryChange({ counter }, 7), FALSE);
});

Deno.test("answers: each member has its form, and nothing around it", () => {
  for (const value of [null, undefined, "text", 1, [], [{ id: ID }]]) {
    assert.throws(() => new Members(value), UNEXPECTED, JSON.stringify(value));
  }
  for (const id of [null, 1, [ID], { length: 1 }, `x${ID}`, `${ID}x`, ` ${ID}`, ID.toUpperCase()]) {
    assert.throws(() => new Members({ id }).uuid("id"), UNEXPECTED, JSON.stringify(id));
  }
  for (const text of [undefined, 1, true, [], { length: 1 }, "x".repeat(1025)]) {
    assert.throws(() => new Members({ text }).text("text"), UNEXPECTED, JSON.stringify(text));
  }
  assert.equal(new Members({ id: ID }).uuid("id"), ID);
});
