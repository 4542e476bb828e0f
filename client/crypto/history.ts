/**
 * Heads of chats and of accounts, as `docs/verified-history.md` specifies them: a head authenticates the state of a chat,
 * and the head of the account says which heads there are.
 *
 * @module
 */

import {
  AES_256_GCM,
  decryptionFailed,
  gcm,
  join,
  NONCE_BYTES,
  opened,
  randomBytes,
  readSealedMembers,
  sealedMembers,
  split,
  webcrypto,
} from "./aes_gcm.ts";
import type { DataKey } from "./data_key.ts";
import {
  associatedData,
  type Bytes,
  fromBase64,
  fromUtf8,
  isUuid,
  parseObject,
  toBase64,
  toUtf8,
} from "./encoding.ts";
import { hkdfBytes } from "./hkdf.ts";

/** Whose head it is. */
export interface HeadPlace {
  /** UUID of the owner. */
  user_id: string;
  /** UUID of the chat. */
  chat_id: string;
}

/** The state of a chat in one version. */
export interface HeadState {
  readonly version: number;
  readonly data_version: number;
  readonly next_segment: number;
  readonly is_starred: boolean;
  /** The envelope of the title; null if there is none. */
  readonly encrypted_title: string | null;
}

/** The members of a head of a chat. */
export interface ChatHead {
  readonly version: number;
  readonly key_id: string;
  /** Base64 of 32 bytes: see {@link foldContent}. */
  readonly fold: string;
  readonly mac: string;
}

/** What the head of an account says. */
export interface HistoryContent {
  /** Number of chats that have a head. */
  readonly chats: number;
  /** Id of the oldest epoch whose envelopes are accepted; 1 if no epoch was closed. */
  readonly min_epoch: string | 1;
  /** 32 bytes: the exclusive or of the terms of all heads, see {@link historyTerm}. */
  readonly sum: Bytes;
  /** For each device, the counter of the last head of the account that it made. */
  readonly writers: Readonly<Record<string, number>>;
}

/** Bytes of a digest, a fold, a mac and a sum. */
const DIGEST_BYTES = 32;

const HEAD_LABEL = "strongroom chat head v1";
const TERM_LABEL = "strongroom chat history term v1";
const SEAL_LABEL = "strongroom chat history v1";

type Keys = { head: CryptoKey; term: CryptoKey; seal: CryptoKey };

const derived = new WeakMap<CryptoKey, Promise<Keys>>();

/** Derives the keys of an epoch once. */
function keysOf({ secret }: DataKey): Promise<Keys> {
  let keys = derived.get(secret);
  if (!keys) derived.set(secret, keys = deriveKeys(secret));
  return keys;
}

async function deriveKeys(secret: CryptoKey): Promise<Keys> {
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const imported = async (
    label: string,
    algorithm: typeof hmac | typeof AES_256_GCM,
    usages: KeyUsage[],
  ) => await webcrypto().importKey("raw", await hkdfBytes(secret, label), algorithm, false, usages);
  return {
    head: await imported(HEAD_LABEL, hmac, ["sign", "verify"]),
    term: await imported(TERM_LABEL, hmac, ["sign"]),
    seal: await imported(SEAL_LABEL, AES_256_GCM, ["encrypt", "decrypt"]),
  };
}

async function digest(bytes: Bytes): Promise<Bytes> {
  return new Uint8Array(await webcrypto().digest("SHA-256", bytes));
}

/** Begins a fold with the envelope of a content. */
export async function foldContent(envelope: string): Promise<string> {
  return toBase64(await digest(toUtf8(envelope)));
}

/** Adds the envelope of the segment with this number to a fold. */
export async function foldSegment(
  fold: string,
  { number, encrypted_data }: { number: number; encrypted_data: string },
): Promise<string> {
  const bytes = new Uint8Array(2 * DIGEST_BYTES + 8);
  bytes.set(fromBase64(fold) ?? []);
  new DataView(bytes.buffer).setBigUint64(DIGEST_BYTES, BigInt(number));
  bytes.set(await digest(toUtf8(encrypted_data)), DIGEST_BYTES + 8);
  return toBase64(await digest(bytes));
}

/** What the mac of a head is made of. */
async function headBytes(
  { chat_id, user_id }: HeadPlace,
  { version, data_version, next_segment, is_starred, encrypted_title }: HeadState,
  fold: string,
  key_id: string,
): Promise<Bytes> {
  const title = encrypted_title === null ? "" : await foldContent(encrypted_title);
  return associatedData({
    ...{ chat_id, data_version, fold, is_starred: is_starred ? 1 : 0, key_id, next_segment },
    ...{ purpose: "chat-head", title, user_id, v: "1", version },
  });
}

/**
 * Makes the head of a chat.
 *
 * @param place whose head it is
 * @param state the state after the change
 * @param fold of the content and its segments after the change
 * @param key the current data key
 * @returns the text of a JSON object
 */
export async function makeHead(
  place: HeadPlace,
  state: HeadState,
  fold: string,
  key: DataKey,
): Promise<string> {
  const { key_id } = key;
  const { head } = await keysOf(key);
  const mac = await webcrypto().sign("HMAC", head, await headBytes(place, state, fold, key_id));
  const version = String(state.version);
  return JSON.stringify({ v: "1", version, key_id, fold, mac: toBase64(new Uint8Array(mac)) });
}

/** Parses the head of a chat; undefined if it is malformed. The result is not authenticated. */
export function parseHead(text: string): ChatHead | undefined {
  const { v, version, key_id, fold, mac, ...more } = parseObject(text) ?? {};
  const number = Number(version);
  const whole = v === "1" && Object.keys(more).length === 0 && isUuid(key_id) &&
    Number.isSafeInteger(number) && number > 0 && String(number) === version &&
    fromBase64(fold)?.length === DIGEST_BYTES && fromBase64(mac)?.length === DIGEST_BYTES;
  if (!whole) return undefined;
  return { version: number, key_id, fold: fold as string, mac: mac as string };
}

/** Whether a head is that of this state, made with this key. */
export async function verifyHead(
  { fold, mac, key_id }: ChatHead,
  place: HeadPlace,
  state: HeadState,
  key: DataKey,
): Promise<boolean> {
  const { head } = await keysOf(key);
  const bytes = await headBytes(place, state, fold, key_id);
  return await webcrypto().verify("HMAC", head, fromBase64(mac)!, bytes);
}

/**
 * Derives the term of a head: a secret number that the sum of an account contains. The server knows the heads, but not
 * their terms: it could otherwise look for other heads with the same sum.
 */
export async function historyTerm(chat_id: string, head: string, key: DataKey): Promise<Bytes> {
  const { term } = await keysOf(key);
  return new Uint8Array(await webcrypto().sign("HMAC", term, toUtf8(`${chat_id}\n${head}`)));
}

/** Adds a term to a sum, or takes it out again. */
export function xor(sum: Bytes, term: Bytes): Bytes {
  return sum.map((byte, index) => byte ^ term[index]!); // both have 32 bytes
}

/** The sum of an account without heads. */
export function emptySum(): Bytes {
  return new Uint8Array(DIGEST_BYTES);
}

/** Whether two sums are equal. */
export function equalSums(a: Bytes, b: Bytes): boolean {
  return toBase64(a) === toBase64(b);
}

function historyPlace(user_id: string, counter: number, key_id: string): Bytes {
  return associatedData({ counter, key_id, purpose: "chat-history", user_id, v: "1" });
}

/**
 * Seals the head of an account.
 *
 * @param content what it says
 * @param user_id UUID of the owner
 * @param counter of this head
 * @param key the current data key
 * @returns the text of a JSON object
 */
export async function sealHistory(
  content: HistoryContent,
  user_id: string,
  counter: number,
  key: DataKey,
): Promise<string> {
  return await sealHistoryWithNonce(content, user_id, counter, key, randomBytes(NONCE_BYTES));
}

/** {@link sealHistory} with a given nonce, for test vectors. */
export async function sealHistoryWithNonce(
  { chats, min_epoch, sum, writers }: HistoryContent,
  user_id: string,
  counter: number,
  key: DataKey,
  nonce: Bytes,
): Promise<string> {
  const { key_id } = key;
  const { seal } = await keysOf(key);
  const names = Object.keys(writers).sort();
  const sorted = Object.fromEntries(names.map((name) => [name, writers[name]]));
  const text = JSON.stringify({ chats, min_epoch, sum: toBase64(sum), writers: sorted });
  const parameters = gcm(nonce, historyPlace(user_id, counter, key_id));
  const sealed = await webcrypto().encrypt(parameters, seal, toUtf8(text));
  return JSON.stringify({ v: "1", key_id, ...sealedMembers(split(nonce, sealed)) });
}

/** Returns the id of the key that sealed the head of an account; undefined if it is malformed. */
export function historyKeyOf(sealed: string): string | undefined {
  const members = parseObject(sealed);
  return members?.v === "1" && isUuid(members.key_id) ? members.key_id : undefined;
}

/**
 * Opens the head of an account.
 *
 * @throws CryptoError `decryption_failed` if it is that of another account, counter or key, or was changed
 */
export async function openHistory(
  text: string,
  user_id: string,
  counter: number,
  key: DataKey,
): Promise<HistoryContent> {
  const members = readSealedMembers(parseObject(text) ?? {});
  if (!members || historyKeyOf(text) !== key.key_id) throw decryptionFailed();
  const { seal } = await keysOf(key);
  const parameters = gcm(members.nonce, historyPlace(user_id, counter, key.key_id));
  const opening = webcrypto().decrypt(parameters, seal, join(members));
  const content = JSON.parse(fromUtf8(new Uint8Array(await opened(opening))));
  return { ...content, sum: fromBase64(content.sum)! }; // a client with the key has made it
}

/** Returns a code of 10 digits for the head of an account, to compare on two screens. */
export async function historyCode(sealed: string): Promise<string> {
  const view = new DataView((await digest(toUtf8(sealed))).buffer);
  const digits = String(view.getBigUint64(0) % 10_000_000_000n).padStart(10, "0");
  return `${digits.slice(0, 5)} ${digits.slice(5)}`;
}
