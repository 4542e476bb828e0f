/**
 * The keys of an approval, and the messages under them: `docs/device-approval.md` specifies both.
 *
 * @module
 */

import {
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
} from "../crypto/aes_gcm.ts";
import { WRAPPING_USAGES } from "../crypto/data_key.ts";
import { associatedData, type Bytes, fromUtf8, parseObject, toUtf8 } from "../crypto/encoding.ts";
import { hkdfKey } from "../crypto/hkdf.ts";
import type { DeviceKey } from "../crypto/mod.ts";
import { pad, unpad } from "../crypto/padding.ts";
import { type Exchange, exchangeKey } from "./cpace.ts";

const LABEL = "strongroom device approval v1";

/** What each side authenticates with its share: so neither can be given its own back. */
const [NEW, OLD] = [toUtf8("new device"), toUtf8("old device")];

/** Which approval of which account. */
export interface ApprovalPlace {
  readonly user_id: string;
  readonly approval_id: string;
}

/** The keys that both devices have. */
export interface ApprovalKeys {
  readonly hello: CryptoKey;
  readonly answer: CryptoKey;
  /** Wraps the data key, once. */
  readonly wrapping: DeviceKey;
}

/** Returns what both devices have in common if they show the same code for the same approval of the same account. */
export function exchangeOf({ user_id, approval_id }: ApprovalPlace, code: string): Exchange {
  const hex = approval_id.replaceAll("-", "").match(/../g)!; // it is a UUID
  const sid = Uint8Array.from(hex, (digits) => parseInt(digits, 16));
  return { prs: toUtf8(code), ci: toUtf8(`${LABEL}\n${user_id}`), sid };
}

/**
 * Makes the keys of an approval.
 *
 * @param place which approval
 * @param exchange from `exchangeOf`
 * @param own `scalar`: the secret of this device; `role`: which one it is
 * @param shares of both devices
 * @returns undefined if the share of the other device is not one
 */
export async function approvalKeys(
  { approval_id }: ApprovalPlace,
  { sid }: Exchange,
  own: { readonly scalar: Bytes; readonly role: "new" | "old" },
  shares: { readonly new: Bytes; readonly old: Bytes },
): Promise<ApprovalKeys | undefined> {
  const other = own.role === "new" ? shares.old : shares.new;
  const transcript = [{ share: shares.new, ad: NEW }, { share: shares.old, ad: OLD }] as const;
  const secret = await exchangeKey(sid, own.scalar, other, transcript);
  if (!secret) return undefined;
  const [hello, answer, key] = await Promise.all([
    hkdfKey(secret, `${LABEL} hello`, ["encrypt", "decrypt"]),
    hkdfKey(secret, `${LABEL} answer`, ["encrypt", "decrypt"]),
    hkdfKey(secret, `${LABEL} wrap`, WRAPPING_USAGES),
  ]);
  return { hello, answer, wrapping: { kind: "device", device_id: approval_id, key } };
}

function placeOf({ user_id, approval_id }: ApprovalPlace, message: "hello" | "answer"): Bytes {
  const members = { approval_id, message, purpose: "device-approval", user_id, v: "1" };
  return associatedData(members);
}

/** Encrypts a message. */
export async function sealMessage(
  keys: ApprovalKeys,
  message: "hello" | "answer",
  place: ApprovalPlace,
  content: unknown,
  nonce: Bytes = randomBytes(NONCE_BYTES),
): Promise<string> {
  const parameters = gcm(nonce, placeOf(place, message));
  const padded = pad(toUtf8(JSON.stringify(content)), true);
  const sealed = await webcrypto().encrypt(parameters, keys[message], padded);
  return JSON.stringify({ v: "1", ...sealedMembers(split(nonce, sealed)) });
}

/**
 * Decrypts a message.
 *
 * @throws CryptoError `decryption_failed`
 */
export async function openMessage(
  keys: ApprovalKeys,
  message: "hello" | "answer",
  place: ApprovalPlace,
  text: string,
): Promise<unknown> {
  const members = parseObject(text);
  const sealed = members?.v === "1" ? readSealedMembers(members) : undefined;
  if (!sealed) throw decryptionFailed();
  const parameters = gcm(sealed.nonce, placeOf(place, message));
  const padded = await opened(webcrypto().decrypt(parameters, keys[message], join(sealed)));
  // Whoever has the key has written it.
  return JSON.parse(fromUtf8(unpad(new Uint8Array(padded))));
}
