/**
 * Records everything that a client sends, and all keys that it has, so that a test can search the requests for keys.
 *
 * @module
 */

import { toHex } from "./known_keys.ts";

/** A request as it was sent. */
export interface CapturedRequest {
  readonly method: string;
  readonly url: string;
  /** Headers and body, one character for each byte. */
  readonly texts: readonly string[];
}

/** Records requests. */
export class Capture {
  readonly requests: CapturedRequest[] = [];

  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const { method, url } = request;
    const body = latin1(new Uint8Array(await request.clone().arrayBuffer()));
    const decoded = latin1(new TextEncoder().encode(decodeURIComponent(url)));
    const texts = [url, decoded, JSON.stringify([...request.headers]), body];
    this.requests.push({ method, url, texts });
    return await fetch(request);
  };

  /** Returns the requests that contain a secret, whatever its encoding. */
  find(secret: string | Uint8Array): CapturedRequest[] {
    const spelt = spellings(secret);
    return this.requests.filter(({ texts }) =>
      texts.some((text) => spelt.some((spelling) => text.includes(spelling)))
    );
  }
}

/** Encodes a secret: raw, hexadecimal, base64 and base64url at each offset, and as a list of numbers. */
function spellings(secret: string | Uint8Array): string[] {
  const bytes = typeof secret === "string" ? new TextEncoder().encode(secret) : secret;
  const base64 = [0, 1, 2].map((before) => {
    const text = btoa(latin1(Uint8Array.from([...new Uint8Array(before), ...bytes])));
    return text.slice(Math.ceil(before * 8 / 6), Math.floor((before + bytes.length) * 8 / 6));
  });
  const base64url = base64.map((text) => text.replaceAll("+", "-").replaceAll("/", "_"));
  const hex = toHex(bytes);
  return [latin1(bytes), hex, hex.toUpperCase(), ...base64, ...base64url, bytes.join(",")];
}

function latin1(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => String.fromCharCode(byte)).join("");
}

/** Records the bytes of every key that WebCrypto makes while something runs, extractable or not. */
export async function watchKeys(run: () => Promise<void>): Promise<Uint8Array[]> {
  const { subtle } = crypto;
  const seen = new Map<string, Uint8Array>();
  const note = (bytes: Uint8Array) => seen.set(toHex(bytes), bytes);
  // deno-lint-ignore no-explicit-any -- the four methods have different arguments
  type Method = (...args: any[]) => Promise<any>;
  const watched = {
    generateKey: async (algorithm: AesKeyGenParams, extractable: boolean, usages: KeyUsage[]) => {
      const key = await original.generateKey(algorithm, true, usages) as CryptoKey;
      return await noted(key, extractable, usages);
    },
    deriveKey: async (
      ...[algorithm, base, type, extractable, usages]: Parameters<Method>
    ) => {
      const key = await original.deriveKey(algorithm, base, type, true, usages) as CryptoKey;
      return await noted(key, extractable, usages);
    },
    unwrapKey: async (
      ...[format, wrapped, under, algorithm, type, extractable, usages]: Parameters<Method>
    ) => {
      // The same bytes are also unwrapped as an AES key.
      if (type === "HKDF") {
        return await original.unwrapKey(format, wrapped, under, algorithm, type, false, usages);
      }
      const args = [format, wrapped, under, algorithm, type, true, usages];
      return await noted(await original.unwrapKey(...args) as CryptoKey, extractable, usages);
    },
    importKey: async (format: string, data: Uint8Array, ...more: unknown[]) => {
      note(new Uint8Array(data));
      return await original.importKey(format, data, ...more) as CryptoKey;
    },
  };
  const original = {} as Record<keyof typeof watched, Method>;
  for (const name of Object.keys(watched) as (keyof typeof watched)[]) {
    original[name] = (subtle[name] as Method).bind(subtle);
  }
  const noted = async (key: CryptoKey, extractable: boolean, usages: KeyUsage[]) => {
    const bytes = new Uint8Array(await subtle.exportKey("raw", key));
    note(bytes);
    return await original.importKey("raw", bytes, "AES-GCM", extractable, usages) as CryptoKey;
  };
  Object.assign(subtle, watched);
  try {
    await run();
  } finally {
    for (const name of Object.keys(watched)) delete subtle[name as keyof typeof subtle];
  }
  return [...seen.values()];
}
