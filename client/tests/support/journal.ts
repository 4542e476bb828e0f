/**
 * Records which changes devices asked for and what they were answered, and checks that the final state follows from it.
 *
 * @module
 */

import assert from "node:assert/strict";

import type { Chat } from "../../mod.ts";

/** A change that a device asked for. */
export interface Entry {
  readonly device: number;
  readonly kind: "save" | "append" | "compact" | "rename" | "star" | "delete";
  readonly chat_id: string;
  /** The version that was changed. */
  readonly base: number;
  readonly text?: string;
  readonly star?: boolean;
  /**
   * The answer: the new version; "deleted" if this change deleted the chat; "conflict" if another change came first;
   * "gone" if there is no such chat; "refused" if it was not made because another device has changed the keys; "nothing"
   * without an answer.
   */
  outcome: number | "deleted" | "conflict" | "gone" | "refused" | "nothing";
}

/** A chat without its dates. */
export type ChatState = Pick<Chat, "title" | "is_starred" | "content" | "segments">;

/** The version and state of each chat at the end. */
export type FinalState = Record<string, ChatState & { version: number }>;

/** The journal of all devices. */
export class Journal {
  readonly entries: Entry[] = [];
  /** Each version of each chat, as the first device saw it. */
  readonly #seen = new Map<string, { state: string; device: number }>();

  /** Begins an entry. */
  begin(entry: Omit<Entry, "outcome">): Entry {
    const begun: Entry = { ...entry, outcome: "nothing" };
    this.entries.push(begun);
    return begun;
  }

  /** Notes what a device has read: all devices must see the same in one version. */
  saw(device: number, chat: Chat): void {
    const key = `${chat.id} version ${chat.version}`;
    const state = JSON.stringify(stateOf(chat));
    const seen = this.#seen.get(key);
    if (seen) assert.equal(state, seen.state, `Devices ${device} and ${seen.device}: ${key}`);
    this.#seen.set(key, { state, device });
  }

  /** Checks that no acknowledged change is lost and that nothing else has changed. */
  check(end: FinalState): void {
    const chats = Map.groupBy(this.entries, ({ chat_id }) => chat_id);
    for (const id of Object.keys(end)) assert.ok(chats.has(id), `Nobody has made chat ${id}`);
    for (const [id, entries] of chats) this.#checkChat(id, entries, end[id]);
  }

  #checkChat(id: string, entries: Entry[], end: FinalState[string] | undefined): void {
    const acknowledged = new Map<number, Entry>();
    for (const entry of entries) {
      if (typeof entry.outcome !== "number") continue;
      assert.equal(entry.outcome, entry.base + 1, `${id}: ${JSON.stringify(entry)}`);
      assert.ok(!acknowledged.has(entry.outcome), `${id}: version ${entry.outcome} was made twice`);
      acknowledged.set(entry.outcome, entry);
    }
    const last = Math.max(0, ...acknowledged.keys());
    const mayHaveDeleted = entries.some(({ kind, outcome, base }) =>
      kind === "delete" && (outcome === "deleted" || outcome === "nothing") && base >= last
    );
    if (!end) {
      assert.ok(mayHaveDeleted || last === 0, `${id}: version ${last} was lost`);
      return;
    }
    assert.ok(!entries.some(({ outcome }) => outcome === "deleted"), `${id}: was deleted`);
    assert.ok(end.version >= last, `${id}: version ${last} was lost`);
    this.#checkHistory(id, entries, acknowledged, end);
  }

  /** Checks that each version was made by one change: the acknowledged one, or one without an answer. */
  #checkHistory(
    id: string,
    entries: Entry[],
    acknowledged: Map<number, Entry>,
    end: FinalState[string],
  ): void {
    let possible = new Map<string, ChatState>([["", EMPTY]]);
    for (let version = 1; version <= end.version; version++) {
      const made = acknowledged.get(version);
      const candidates = made
        ? [made]
        : entries.filter(({ kind, base, outcome }) =>
          kind !== "delete" && base === version - 1 && outcome === "nothing"
        );
      assert.ok(candidates.length > 0, `${id}: nobody has made version ${version}`);
      const next = new Map<string, ChatState>();
      for (const before of possible.values()) {
        for (const candidate of candidates) {
          const after = changed(before, candidate);
          next.set(JSON.stringify(after), after);
        }
      }
      possible = next;
    }
    const states = [...possible.keys()];
    assert.ok(
      states.includes(JSON.stringify(stateOf(end))),
      `${id}: is ${JSON.stringify(stateOf(end))}, not ${states}`,
    );
  }
}

/** Returns a chat without its dates. */
export function stateOf({ title, is_starred, content, segments }: ChatState): ChatState {
  return { title, is_starred, content, segments };
}

const EMPTY: ChatState = { title: null, is_starred: false, content: "", segments: [] };

function changed(chat: ChatState, { kind, text = "", star = false }: Entry): ChatState {
  switch (kind) {
    case "save":
      return { ...chat, content: text, segments: [] };
    case "append":
      return { ...chat, segments: [...chat.segments, text] };
    case "compact":
      return { ...chat, content: chat.content + chat.segments.join(""), segments: [] };
    case "rename":
      return { ...chat, title: text };
    case "star":
      return { ...chat, is_starred: star };
    case "delete":
      return chat;
  }
}
