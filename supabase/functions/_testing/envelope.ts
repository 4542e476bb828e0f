/**
 * Chat envelopes with random bytes. Tests of the client check real contents.
 *
 * @module
 */

/** The text of an envelope: format 2 with a key, format 1 without. */
export function envelope(key_id?: string, bytes = 16): string {
  return JSON.stringify({
    v: key_id ? "2" : "1",
    ...(key_id && { key_id }),
    nonce: random(12),
    ciphertext: random(bytes),
    mac: random(16),
  });
}

/** Random bytes in base64. */
export function random(bytes: number): string {
  let text = "";
  for (let left = bytes; left > 0; left -= 65_536) {
    const part = crypto.getRandomValues(new Uint8Array(Math.min(left, 65_536)));
    for (const byte of part) text += String.fromCharCode(byte);
  }
  return btoa(text);
}
