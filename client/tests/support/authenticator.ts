/// <reference lib="dom" />

/**
 * An authenticator, for runtimes that have none: it keeps passkeys, and computes as WebAuthn's PRF extension says. The
 * check `browser` uses that of Chromium.
 *
 * @module
 */

import type { Credentials } from "../../passkeys/passkeys.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** When a passkey computes: as soon as it is made, only when it is used, or never. */
export type Computes = "when made" | "when used" | "never";

/** Keeps passkeys. The user of this one always agrees, unless `throws` says otherwise. */
export class Authenticator implements Credentials {
  computes: Computes;
  /** The name of the error that the browser throws instead. */
  throws: string | undefined;
  /** Which passkey the user chooses, in base64url: the first allowed one if undefined. */
  chosen: string | undefined;
  /** How often the user was asked. */
  asked = 0;
  readonly passkeys = new Map<string, Bytes>();

  /** @param computes when its passkeys compute */
  constructor(computes: Computes = "when made") {
    this.computes = computes;
  }

  /** Makes a passkey. */
  async create({ publicKey }: CredentialCreationOptions = {}): Promise<Credential> {
    this.#ask();
    const { excludeCredentials = [], extensions, authenticatorSelection, user } = publicKey!;
    if (new Uint8Array(user.id as ArrayBuffer).length > 64) throw new TypeError("user.id");
    if (authenticatorSelection?.userVerification !== "required") {
      throw new TypeError("verification");
    }
    const known = excludeCredentials.map(({ id }) => toText(id));
    if (known.some((id) => this.passkeys.has(id))) throw new DOMException("", "InvalidStateError");
    const id = toText(crypto.getRandomValues(new Uint8Array(16)));
    const secret = crypto.getRandomValues(new Uint8Array(32));
    this.passkeys.set(id, secret);
    const first = prfOf(extensions).eval?.first;
    const enabled = this.computes !== "never";
    const results = this.computes === "when made" && first &&
      { first: await compute(secret, first) };
    return credential(id, { prf: { enabled, ...(results && { results }) } });
  }

  /** Uses a passkey. */
  async get({ publicKey }: CredentialRequestOptions = {}): Promise<Credential> {
    this.#ask();
    const { allowCredentials = [], extensions, userVerification } = publicKey!;
    if (userVerification !== "required") throw new TypeError("verification");
    const allowed = allowCredentials.map(({ id }) => toText(id)).filter((id) =>
      this.passkeys.has(id)
    );
    const id = this.chosen ?? allowed[0];
    const secret = id === undefined ? undefined : this.passkeys.get(id);
    if (!id || !secret) throw new DOMException("", "NotAllowedError");
    const first = prfOf(extensions).evalByCredential?.[id]?.first;
    if (this.computes === "never" || !first) return credential(id, {});
    return credential(id, { prf: { results: { first: await compute(secret, first) } } });
  }

  #ask(): void {
    this.asked++;
    if (this.throws) throw new DOMException("", this.throws);
  }
}

interface Prf {
  eval?: { first: Bytes };
  evalByCredential?: Record<string, { first: Bytes }>;
}

function prfOf(extensions: AuthenticationExtensionsClientInputs | undefined): Prf {
  return (extensions as { prf?: Prf } | undefined)?.prf ?? {};
}

async function compute(secret: Bytes, input: Bytes): Promise<ArrayBuffer> {
  const text = new TextEncoder().encode("WebAuthn PRF\0");
  const salt = await crypto.subtle.digest("SHA-256", Uint8Array.from([...text, ...input]));
  const hmac = { name: "HMAC", hash: "SHA-256" };
  const key = await crypto.subtle.importKey("raw", secret, hmac, false, ["sign"]);
  return await crypto.subtle.sign("HMAC", key, salt);
}

function credential(id: string, results: unknown): Credential {
  const rawId = toBytes(id).buffer;
  return { id, rawId, type: "public-key", getClientExtensionResults: () => results } as
    & Credential
    & object;
}

function toText(id: BufferSource): string {
  const bytes = ArrayBuffer.isView(id) ? new Uint8Array(id.buffer) : new Uint8Array(id);
  return btoa(String.fromCharCode(...bytes)).replaceAll("+", "-").replaceAll("/", "_")
    .replaceAll("=", "");
}

function toBytes(id: string): Bytes {
  const binary = atob(id.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(binary, (character) => character.charCodeAt(0));
}
