/**
 * Lies that nobody has thought of: an answer is changed at random places, or replaced by an earlier one.
 *
 * @module
 */

import type { Json, Lie } from "./lying_server.ts";

/** How many earlier answers of each route are kept. */
const KEPT = 20;

/** Makes random lies. */
export class RandomLies {
  readonly #random: () => number;
  readonly #earlier = new Map<string, Json[]>();
  /** What the last lie did, for a message. */
  last = "";

  /** @param random decides which lies are told */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** Remembers an answer without changing it. */
  readonly listen: Lie = (answer, { method, path }) => {
    const answers = this.#of(method, path);
    if (answers.length === KEPT) answers.splice(Math.floor(this.#random() * KEPT), 1);
    answers.push(structuredClone(answer));
  };

  /** Changes an answer. */
  readonly tell: Lie = (answer, { method, path }) => {
    const earlier = this.#of(method, path);
    this.last = `${method} ${path}:`;
    if (earlier.length > 0 && this.#random() < 0.25) {
      this.last += " an earlier answer";
      return structuredClone(this.#one(earlier));
    }
    const lie = structuredClone(answer);
    const changes = 1 + Math.floor(this.#random() * 3);
    for (let change = 0; change < changes; change++) this.#change(lie, earlier);
    return lie;
  };

  #of(method: string, path: string): Json[] {
    const route = `${method} ${path.replace(/[0-9a-f-]{36}.*/, ":id")}`;
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
    const choice = Math.floor(this.#random() * 6);
    if (choice === 0) value[name] = null;
    else if (choice === 1) value[name] = value[this.#one(names)];
    else if (choice === 2) value[name] = structuredClone(this.#one(earlier)?.[name] ?? other ?? 0);
    else if (typeof inner === "number") value[name] = inner + this.#one([-1, 1, 1, 7]);
    else if (typeof inner === "boolean") value[name] = !inner;
    else if (Array.isArray(inner)) value[name] = this.#list(inner);
    else if (Array.isArray(value)) value.splice(Number(name), 1);
    else delete value[name];
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
