/**
 * Reads and changes a user's wrapped keys on the server.
 *
 * @module
 */

import { Members, must } from "./answers.ts";
import { ChatsError } from "./chats_error.ts";
import { change, type Requests } from "./requests.ts";
import { type NewKeyWrap, readKeys, type WrappedKeys } from "./wrapped_keys.ts";

/** The answer to a change of the keys. */
export interface KeyChange {
  version: number;
  key_id: string;
}

/** What a change of the keys asks for. */
export interface KeyChangeBody {
  expected_version: number;
  key_id: string;
  wraps: NewKeyWrap[];
}

/** Sends requests about keys. */
export class KeyRequests {
  readonly #requests: Requests;

  /** @param requests as the user */
  constructor(requests: Requests) {
    this.#requests = requests;
  }

  /** Reads the keys. */
  async read(): Promise<WrappedKeys> {
    const request = { method: "GET", path: "keys", read: readKeys } as const;
    return await this.#requests.send(request, (stored) => stored);
  }

  /** Stores wraps of the current key, or of the first one. */
  async set<T>(body: KeyChangeBody, then: (made: KeyChange) => T | Promise<T>): Promise<T> {
    const request = change("PUT", "keys", { ...body }, (answer) => readKeyChange(answer, body));
    return await this.#requests.send(request, then);
  }

  /** Starts a new epoch. */
  async rotate<T>(body: KeyChangeBody, then: (made: KeyChange) => T | Promise<T>): Promise<T> {
    const path = "keys/rotate";
    const request = change("POST", path, { ...body }, (answer) => readKeyChange(answer, body));
    return await this.#requests.send(request, then);
  }

  /** Deletes the wrap of a device. Undefined if there is none, perhaps because an answer was lost. */
  async revoke(device_id: string): Promise<KeyChange | undefined> {
    const path = `keys/devices/${encodeURIComponent(device_id)}`;
    const read = (answer: unknown) => readKeyChange(answer, undefined);
    try {
      return await this.#requests.send({ method: "DELETE", path, read }, (made) => made);
    } catch (error) {
      if (!(error instanceof ChatsError) || error.code !== "device_not_found") throw error;
      return undefined;
    }
  }
}

/** Reads the answer to a change of the keys, which must have been made to these keys. */
function readKeyChange(answer: unknown, body: KeyChangeBody | undefined): KeyChange {
  const members = new Members(answer);
  const made = { version: members.count("version", 1), key_id: members.uuid("key_id") };
  if (body) {
    must(made.version === body.expected_version + 1, "another version than the change makes");
    must(made.key_id === body.key_id, "another key than was changed");
  }
  return made;
}
