/**
 * Who is present in a channel, and what they say of themselves.
 *
 * @module
 */

/** What a member says of itself, with a reference that changes with every update. */
export type Meta = Record<string, unknown> & { phx_ref: string; phx_ref_prev?: string };

/** Members by their keys. One key may be used by several, for example by two tabs of a browser. */
export type Members = Record<string, { metas: Meta[] }>;

/** What has changed. */
export interface Diff extends Record<string, unknown> {
  joins: Members;
  leaves: Members;
}

/** The members of one channel, by whatever identifies them here. */
export class Presence<Member> {
  #present = new Map<Member, { key: string; meta: Meta }>();

  get isEmpty(): boolean {
    return this.#present.size === 0;
  }

  /** Adds a member, or changes what it says. */
  track(member: Member, key: string, payload: Record<string, unknown>): Diff {
    const before = this.#present.get(member);
    const meta: Meta = {
      ...payload,
      phx_ref: crypto.randomUUID(),
      ...(before && { phx_ref_prev: before.meta.phx_ref }),
    };
    this.#present.set(member, { key, meta });
    return {
      joins: { [key]: { metas: [meta] } },
      leaves: before ? { [before.key]: { metas: [before.meta] } } : {},
    };
  }

  /** Removes a member. Returns nothing if it was not present. */
  untrack(member: Member): Diff | undefined {
    const before = this.#present.get(member);
    if (!before) return;
    this.#present.delete(member);
    return { joins: {}, leaves: { [before.key]: { metas: [before.meta] } } };
  }

  /** All members. */
  state(): Members {
    // Without a prototype: a key may be "constructor".
    const members: Members = Object.create(null);
    for (const { key, meta } of this.#present.values()) {
      (members[key] ??= { metas: [] }).metas.push(meta);
    }
    return members;
  }
}
