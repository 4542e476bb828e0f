/// <reference lib="dom" />

/**
 * Asks the browser for passkeys, and for what they compute.
 *
 * @module
 */

import { type Bytes, fromBase64, toBase64 } from "../crypto/encoding.ts";
import { fromBrowser, passkeyErrors } from "./passkey_errors.ts";

/** A passkey that is asked to compute, and what from. */
export interface Question {
  /** Base64url. */
  readonly credential_id: string;
  readonly input: Bytes;
}

/** What a passkey has computed. */
export interface Answer {
  readonly credential_id: string;
  /** 32 bytes. */
  readonly output: Bytes;
}

/** Who a new passkey is for. */
export interface NewCredential {
  /** `id`: the domain of the app (that of the page); `name`: of the app. */
  readonly rp: { readonly id?: string; readonly name: string };
  /** `name`: tells accounts apart, such as the address; `display_name`: of the user. */
  readonly user: { readonly name: string; readonly display_name?: string };
  /** UUID of the user. */
  readonly user_id: string;
  /** Ids of passkeys that must not be made again. */
  readonly known: readonly string[];
}

/** What of `navigator` is used. */
export type Credentials = Pick<CredentialsContainer, "create" | "get">;

/** Milliseconds: as long as the user may take. */
const TIMEOUT_MS = 5 * 60 * 1000;

/** ES256, EdDSA and RS256. Nothing is signed, but an authenticator wants to know. */
const ALGORITHMS = [-7, -8, -257];

interface Prf {
  enabled?: boolean;
  results?: { first?: BufferSource };
}

/** Writes bytes as base64url without padding. */
export function toBase64Url(bytes: Uint8Array): string {
  return toBase64(bytes).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** Reads base64url without padding; undefined if it is anything else. */
export function fromBase64Url(text: string): Bytes | undefined {
  if (!/^[A-Za-z0-9_-]*$/.test(text)) return undefined;
  const digits = text.replaceAll("-", "+").replaceAll("_", "/");
  return fromBase64(digits + "=".repeat((4 - digits.length % 4) % 4));
}

/**
 * Returns the browser's credentials.
 *
 * @throws ChatsError `passkey_unsupported`
 */
export function browserCredentials(): Credentials {
  if (typeof PublicKeyCredential === "undefined" || !globalThis.navigator?.credentials) {
    throw passkeyErrors.unsupported();
  }
  return navigator.credentials;
}

/** Whether the browser says that it can derive keys from passkeys. Undefined: it does not say. */
export async function browserDerivesKeys(): Promise<boolean | undefined> {
  if (typeof PublicKeyCredential === "undefined") return false;
  const { getClientCapabilities } = PublicKeyCredential as unknown as {
    getClientCapabilities?: () => Promise<Record<string, boolean>>;
  };
  return (await getClientCapabilities?.call(PublicKeyCredential))?.["extension:prf"];
}

const random = () => crypto.getRandomValues(new Uint8Array(32));

/**
 * Makes a passkey, and asks it to compute. Some passkeys compute only when they are used the next time: then the user is
 * asked twice.
 *
 * @param credentials of the browser
 * @param who who it is for
 * @param input what it computes from
 * @throws ChatsError `passkey_without_keys`, `passkey_cancelled`, `passkey_exists`, `passkey_refused`
 */
export async function createPasskey(
  credentials: Credentials,
  { rp, user, user_id, known }: NewCredential,
  input: Bytes,
): Promise<Answer> {
  const publicKey: PublicKeyCredentialCreationOptions = {
    rp: { ...(rp.id !== undefined && { id: rp.id }), name: rp.name },
    user: {
      id: new TextEncoder().encode(user_id),
      name: user.name,
      displayName: user.display_name ?? user.name,
    },
    // Nothing checks a signature: a passkey proves itself by the key that it computes.
    challenge: random(),
    pubKeyCredParams: ALGORITHMS.map((alg) => ({ type: "public-key", alg })),
    excludeCredentials: descriptors(known),
    // What a passkey computes depends on whether it verifies the user.
    authenticatorSelection: { residentKey: "preferred", userVerification: "required" },
    timeout: TIMEOUT_MS,
    extensions: { prf: { eval: { first: input } } },
  };
  const made = await credentials.create({ publicKey }).catch((error) => {
    throw fromBrowser(error);
  });
  const { credential_id, prf } = read(made);
  if (prf?.enabled !== true) {
    await forget(rp.id, credential_id);
    throw passkeyErrors.withoutKeys();
  }
  const output = prf.results?.first;
  if (output) return { credential_id, output: bytesOf(output) };
  return await askPasskeys(credentials, [{ credential_id, input }], rp.id);
}

/**
 * Asks for one of these passkeys, and has it compute.
 *
 * @param credentials of the browser
 * @param questions the passkeys, each with what it computes from
 * @param rp_id the domain of the app (that of the page)
 * @throws ChatsError `passkey_cancelled`, `passkey_without_keys`, `passkey_refused`; `passkey_false` if another one answers
 */
export async function askPasskeys(
  credentials: Credentials,
  questions: readonly Question[],
  rp_id?: string,
): Promise<Answer> {
  const evalByCredential = Object.fromEntries(
    questions.map(({ credential_id, input }) => [credential_id, { first: input }]),
  );
  const publicKey: PublicKeyCredentialRequestOptions = {
    ...(rp_id !== undefined && { rpId: rp_id }),
    challenge: random(),
    allowCredentials: descriptors(questions.map(({ credential_id }) => credential_id)),
    userVerification: "required",
    timeout: TIMEOUT_MS,
    extensions: { prf: { evalByCredential } },
  };
  const used = await credentials.get({ publicKey }).catch((error) => {
    throw fromBrowser(error);
  });
  const { credential_id, prf } = read(used);
  if (!questions.some((question) => question.credential_id === credential_id)) {
    throw passkeyErrors.false();
  }
  const output = prf?.results?.first;
  if (!output) throw passkeyErrors.withoutKeys();
  return { credential_id, output: bytesOf(output) };
}

function descriptors(ids: readonly string[]): PublicKeyCredentialDescriptor[] {
  return ids.flatMap((credential_id) => {
    const id = fromBase64Url(credential_id);
    return id ? [{ type: "public-key", id }] : [];
  });
}

function read(credential: Credential | null): { credential_id: string; prf: Prf | undefined } {
  if (!credential) throw passkeyErrors.cancelled();
  const used = credential as PublicKeyCredential;
  const { prf } = used.getClientExtensionResults() as { prf?: Prf };
  return { credential_id: toBase64Url(new Uint8Array(used.rawId)), prf };
}

function bytesOf(source: BufferSource): Bytes {
  return ArrayBuffer.isView(source)
    ? Uint8Array.from(new Uint8Array(source.buffer, source.byteOffset, source.byteLength))
    : new Uint8Array(source.slice(0));
}

/** Tells the authenticator that a passkey is of no use. Few browsers can. */
async function forget(rp_id: string | undefined, credentialId: string): Promise<void> {
  const { signalUnknownCredential } = (globalThis.PublicKeyCredential ?? {}) as {
    signalUnknownCredential?: (unknown: { rpId: string; credentialId: string }) => Promise<void>;
  };
  const rpId = rp_id ?? globalThis.location?.hostname;
  if (!signalUnknownCredential || !rpId) return;
  await signalUnknownCredential.call(PublicKeyCredential, { rpId, credentialId }).catch(() => {});
}
