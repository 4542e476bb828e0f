/**
 * Reads and changes a user's wrapped keys on the server.
 *
 * @module
 */

import { changeProof, changeProofHash, type DataKey } from "../crypto/mod.ts";
import { Members, must } from "./answers.ts";
import { ChatsError } from "./chats_error.ts";
import { change, type ChatRequest, type Requests } from "./requests.ts";
import { type NewKeyWrap, readKeys, type WrappedKeys } from "./wrapped_keys.ts";

/** The answer to a change of the keys. */
export interface KeyChange {
  version: number;
  key_id: string;
}

/** What a change of the keys begins with. */
type Before = Pick<WrappedKeys, "version" | "proof_number">;

/** A data key and its new wraps. */
export interface NewWraps {
  readonly key: DataKey;
  readonly wraps: NewKeyWrap[];
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
  async set<T>(
    { version, proof_number }: Before,
    { key, wraps }: NewWraps,
    then: (made: KeyChange) => T | Promise<T>,
  ): Promise<T> {
    const proof = proof_number === null ? null : await changeProof(key.secret, proof_number);
    const next_proof_hash = await changeProofHash(key.secret, (proof_number ?? 0) + 1);
    return await this.#requests.send(
      changing("PUT", "keys", version, { key, wraps }, proof, next_proof_hash),
      then,
    );
  }

  /** Starts a new epoch. `before` is the current key, and shows that this client has it. */
  async rotate<T>(
    { version, proof_number }: Before,
    { key, wraps, before }: NewWraps & { before: DataKey },
    then: (made: KeyChange) => T | Promise<T>,
  ): Promise<T> {
    const proof = proof_number === null ? null : await changeProof(before.secret, proof_number);
    const next_proof_hash = await changeProofHash(key.secret, 1);
    return await this.#requests.send(
      changing("POST", "keys/rotate", version, { key, wraps }, proof, next_proof_hash),
      then,
    );
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

/** Makes a request that changes the keys. The proof shows that this client has the current key. */
function changing(
  method: "PUT" | "POST",
  path: string,
  expected_version: number,
  { key: { key_id }, wraps }: NewWraps,
  ...[proof, next_proof_hash]: [string | null, string]
): ChatRequest<KeyChange> {
  const body = {
    expected_version,
    key_id,
    wraps,
    next_proof_hash,
    ...(proof !== null && { proof }),
  };
  return change(method, path, body, (answer) => readKeyChange(answer, body));
}

/** Reads the answer to a change of the keys, which must have been made to these keys. */
function readKeyChange(
  answer: unknown,
  body: { expected_version: number; key_id: string } | undefined,
): KeyChange {
  const members = new Members(answer);
  const made = { version: members.count("version", 1), key_id: members.uuid("key_id") };
  if (body) {
    must(
      made.version === body.expected_version + 1,
      "the version is another",
    );
    must(made.key_id === body.key_id, "it names another key");
  }
  return made;
}
