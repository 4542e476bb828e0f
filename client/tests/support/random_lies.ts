/**
 * Lies that nobody has thought of. Whatever the route, an answer is changed at random places, replaced by an earlier one
 * (of the same or of another chat), by a refusal, or by a forgery under an older data key; or the server pretends to have
 * made a change.
 *
 * @module
 */

import type { DataKey } from "../../crypto/mod.ts";
import { forge, pretend } from "./forgeries.ts";
import type { Json, Lie, Swallow } from "./lying_server.ts";

/** How many earlier answers of each route are kept. */
const KEPT = 20;

/** Refusals that a client acts upon. */
const REFUSALS: Record<string, number> = {
  version_conflict: 409,
  history_conflict: 409,
  key_epoch_old: 409,
  nonce_reused: 409,
  chat_not_found: 404,
  chat_deleted: 410,
  cursor_too_old: 410,
  device_not_found: 404,
  key_proof_wrong: 403,
  try_again: 503,
};

/** Makes random lies. */
export class RandomLies {
  readonly #random: () => number;
  readonly #earlier = new Map<string, Json[]>();
  /** What the last lie did, for a message. */
  last = "";
  /** How often each kind of lie was told about each route. */
  readonly told = new Map<string, number>();
  /** Older data keys of the user, which the server has. */
  oldKeys: DataKey[] = [];
  readonly #user_id: string;

  /**
   * @param user_id UUID of the user
   * @param random decides which lies are told
   */
  constructor(user_id: string, random: () => number) {
    this.#user_id = user_id;
    this.#random = random;
  }

  /** Remembers an answer without changing it. */
  readonly listen: Lie = (answer, { method, path }) => {
    const answers = this.#of(method, path);
    if (answers.length === KEPT) answers.splice(Math.floor(this.#random() * KEPT), 1);
    answers.push(structuredClone(answer));
  };

  /** Changes an answer. */
  readonly tell: Lie = async (answer, { method, path }) => {
    const earlier = this.#of(method, path);
    const kind = this.#random();
    if (earlier.length > 0 && kind < 0.25) {
      this.#telling("an earlier answer", method, path);
      return structuredClone(this.#one(earlier));
    }
    if (kind > 0.9) {
      this.#telling("a refusal", method, path);
      return this.#refusal(path);
    }
    if (kind > 0.75 && this.oldKeys.length > 0) {
      this.#telling("a forgery", method, path);
      const [user_id, random] = [this.#user_id, this.#random];
      return await forge(answer, { user_id, random, key: this.#one(this.oldKeys) });
    }
    this.#telling("changed", method, path);
    const lie = structuredClone(answer);
    const changes = 1 + Math.floor(this.#random() * 3);
    for (let change = 0; change < changes; change++) this.#change(lie, earlier);
    return lie;
  };

  /** Pretends that a change was made, sometimes. */
  readonly swallow: Swallow = async (request, path) => {
    if (this.#random() > 0.25) return undefined;
    const { method } = request;
    const answer = await pretend(request, path);
    if (answer !== undefined) this.#telling("a change that was not made", method, path);
    return answer;
  };

  #telling(kind: string, method: string, path: string): void {
    this.last = `${method} ${path}: ${kind}`;
    const name = `${routeOf(method, path)}: ${kind}`;
    this.told.set(name, (this.told.get(name) ?? 0) + 1);
  }

  /** A refusal with what the client looks at. */
  #refusal(path: string): Response {
    const code = this.#one(Object.keys(REFUSALS));
    const status = REFUSALS[code]!; // it is one of them
    this.last += ` ${code}`;
    const page = this.#of("POST", "rpc/sync_chats").at(-1);
    const chat = this.#one([...this.#of("GET", "chats/:id"), undefined]);
    const fields = {
      version: Math.floor(this.#random() * 20),
      key_id: this.oldKeys[0]?.key_id ?? crypto.randomUUID(),
      history: this.#one([...this.#of("POST", "rpc/sync_chats"), page])?.history ?? null,
      ...(chat && { chat }),
    };
    const detail = "The server refuses it";
    if (path.startsWith("chats/")) {
      const headers = { "content-type": "application/problem+json" };
      const problem = { type: "about:blank", title: detail, status, code, detail, ...fields };
      return new Response(JSON.stringify(problem), { status, headers });
    }
    const details = `${code} ${JSON.stringify(fields)}`;
    return Response.json({ code: `PT${status}`, message: detail, details, hint: "" }, { status });
  }

  #of(method: string, path: string): Json[] {
    const route = routeOf(method, path);
    const answers = this.#earlier.get(route) ?? [];
    this.#earlier.set(route, answers);
    return answers;
  }

  /** Changes one member at a random depth. */
  #change(value: Json, earlier: Json[]): void {
    const names = Object.keys(value);
    if (names.length === 0) return;
    const name = this.#one(names);
    const inner = value[name];
    if (typeof inner === "object" && inner !== null && this.#random() < 0.7) {
      return this.#change(inner, earlier.map((answer) => answer?.[name]).filter(Boolean));
    }
    this.last += ` ${name}`;
    const other = earlier.length > 0 ? this.#one(earlier)?.[this.#one(names)] : undefined;
    const choice = Math.floor(this.#random() * 12);
    if (choice === 0) value[name] = null;
    else if (choice === 1) value[name] = value[this.#one(names)];
    else if (choice < 5) value[name] = structuredClone(this.#one(earlier)?.[name] ?? other ?? 0);
    else if (typeof inner === "number") value[name] = inner + this.#one([-1, 1, 1, 7]);
    else if (typeof inner === "boolean") value[name] = !inner;
    else if (Array.isArray(inner)) value[name] = this.#list(inner);
    else if (Array.isArray(value)) value.splice(Number(name), 1);
    else if (typeof inner === "string" && choice < 10) value[name] = this.#string(inner);
    else delete value[name];
  }

  /** Changes one character into another that may stand in its place. */
  #string(text: string): string {
    const at = Math.floor(this.#random() * text.length);
    const other = /\d/.test(text[at] ?? "") ? this.#one([..."0123456789"]) : text[at - 1] ?? "a";
    return text.slice(0, at) + other + text.slice(at + 1);
  }

  /** Drops, repeats, reorders or shortens a list. */
  #list(list: Json[]): Json[] {
    const at = Math.floor(this.#random() * (list.length + 1));
    return this.#one([
      list.slice(0, at),
      list.slice(at),
      list.toReversed(),
      [...list.slice(0, at), ...list.slice(at + 1)],
      [...list, ...list.slice(at)],
      [...list, ...list.slice(0, 1).map((entry) => ({ ...entry, deleted: true }))],
    ]);
  }

  #one<T>(values: readonly T[]): T {
    return values[Math.floor(this.#random() * values.length)]!; // there is one
  }
}

/** Chats are the same route; so an earlier answer may be about another one. */
function routeOf(method: string, path: string): string {
  return `${method} ${path.replace(/\?.*/, "").replace(/[0-9a-f-]{36}/, ":id")}`;
}
