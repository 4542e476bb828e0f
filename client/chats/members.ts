/**
 * The members of an answer, each read in its form.
 *
 * @module
 */

import { ChatsError } from "./chats_error.ts";

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** More than the longest envelope of any server, in characters. */
const MAX_ENVELOPE = 16 * 1024 * 1024;

/** Makes the error for an answer that is not what Strongroom answers. */
function unexpected(what: string): ChatsError {
  return new ChatsError("unexpected_answer", `Unexpected response: ${what}`, { status: 200 });
}

/** Makes the error for an answer that contradicts what was asked for, what the client knows, or itself. */
export function falseAnswer(what: string): ChatsError {
  return new ChatsError("false_answer", `The server's response cannot be true: ${what}`);
}

/** Requires something of an answer. */
export function must(holds: boolean, what: string): void {
  if (!holds) throw falseAnswer(what);
}

/** The members of an answer, each read in its form. */
export class Members {
  readonly #members: Record<string, unknown>;

  /** @param value the answer, or a part of it */
  constructor(value: unknown) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw unexpected("not an object");
    }
    this.#members = value as Record<string, unknown>;
  }

  /** Whether the member is missing or null. */
  lacks(name: string): boolean {
    return this.#members[name] === undefined || this.#members[name] === null;
  }

  /** Reads a text of limited length. */
  text(name: string, longest = 1024): string {
    const value = this.#members[name];
    if (typeof value !== "string" || value.length > longest) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a text that may be missing. */
  optionalText(name: string): string | undefined {
    return this.lacks(name) ? undefined : this.text(name);
  }

  /** Reads an envelope. It is null only if the server may leave it out. */
  envelope(name: string): string {
    return this.text(name, MAX_ENVELOPE);
  }

  /** Reads a UUID. */
  uuid(name: string): string {
    const value = this.text(name);
    if (!UUID.test(value)) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a whole number that JavaScript can count, from a lowest one. */
  count(name: string, lowest = 0): number {
    const value = this.#members[name];
    if (typeof value !== "number" || !Number.isSafeInteger(value) || value < lowest) {
      throw unexpected(`"${name}"`);
    }
    return value;
  }

  /** Reads a number that may be missing. */
  optionalCount(name: string): number | undefined {
    return this.lacks(name) ? undefined : this.count(name);
  }

  /** Reads a boolean. */
  flag(name: string): boolean {
    const value = this.#members[name];
    if (typeof value !== "boolean") throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads a time. */
  time(name: string): string {
    const value = this.text(name);
    if (Number.isNaN(Date.parse(value))) throw unexpected(`"${name}"`);
    return value;
  }

  /** Reads an object. */
  object(name: string): Members {
    return new Members(this.#members[name]);
  }

  /** Reads a list. */
  list(name: string, longest = Infinity): Members[] {
    return readList(this.#members[name], longest);
  }
}

/** Reads a list of objects. */
export function readList(value: unknown, longest = Infinity): Members[] {
  if (!Array.isArray(value) || value.length > longest) throw unexpected("not a list");
  return value.map((entry) => new Members(entry));
}
