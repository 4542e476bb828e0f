/**
 * Checks that the first bytes of a file match its declared type.
 *
 * @module
 */

/** Different names of the same container format. */
const SAME: Record<string, string> = {
  "application/ogg": "audio/ogg",
  "audio/aac": "audio/mp4",
  "audio/mp3": "audio/mpeg",
  "audio/opus": "audio/ogg",
  "audio/vnd.wave": "audio/wav",
  "audio/wave": "audio/wav",
  "audio/x-m4a": "audio/mp4",
  "audio/x-wav": "audio/wav",
  "image/jpg": "image/jpeg",
  "video/mp4": "audio/mp4",
  "video/ogg": "audio/ogg",
  "video/webm": "audio/webm",
  "video/x-m4v": "audio/mp4",
};

/** Types that the first bytes identify. */
const HAS_SIGNATURE = /^(image|audio|video)\/|^application\/pdf$/;

/** Types that are text, including SVG. */
const IS_TEXT = /^text\/|^image\/svg\+xml$/;

/** Byte order marks of UTF-16 and UTF-32, in which text has NUL bytes. */
const WIDE = [[0xff, 0xfe], [0xfe, 0xff], [0, 0, 0xfe, 0xff]];

/**
 * Compares the first bytes of a file with its declared type. Images, audio, video and PDF must begin with the signature
 * of their type. Text must not begin with a signature or contain NUL bytes. Other types are not checked.
 *
 * @param bytes The first bytes.
 * @param type The declared content type in lower case, without parameters.
 * @returns Whether they match, and the type that the bytes have.
 */
export async function isOfType(
  bytes: Uint8Array,
  type: string,
): Promise<{ ok: boolean; detected: string }> {
  // Loaded on use, not at every cold start.
  const { fileTypeFromBuffer } = await import("file-type");
  const detected = (await fileTypeFromBuffer(bytes))?.mime.split(";")[0] ?? "";
  if (IS_TEXT.test(type)) {
    if (HAS_SIGNATURE.test(detected) && !IS_TEXT.test(detected)) return { ok: false, detected };
    const isWide = WIDE.some((mark) => mark.every((byte, i) => bytes[i] === byte));
    return isWide || !bytes.includes(0)
      ? { ok: true, detected: type }
      : { ok: false, detected: detected || "application/octet-stream" };
  }
  if (!HAS_SIGNATURE.test(type)) return { ok: true, detected };
  const ok = (SAME[detected] ?? detected) === (SAME[type] ?? type);
  return { ok, detected: detected || "unknown" };
}
