/**
 * Whether the first bytes of a file are of the kind that was declared.
 *
 * @module
 */

/** What one container is called, by what it holds and by who looked. */
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

/** Kinds that are known by their first bytes. */
const HAS_SIGNATURE = /^(image|audio|video)\/|^application\/pdf$/;

/** Text although it is called an image. */
const IS_TEXT = /^text\/|^image\/svg\+xml$/;

/** Byte order marks of UTF-16 and UTF-32, whose text has NUL bytes. */
const WIDE = [[0xff, 0xfe], [0xfe, 0xff], [0, 0, 0xfe, 0xff]];

/**
 * Compares the first bytes of a file with the type that it was declared to be. Images, audio, video and PDF have to begin
 * as such; text must not, nor have NUL bytes. Other types can be anything.
 *
 * @param bytes The first bytes.
 * @param type The declared content type, in lower case and without parameters.
 * @returns Whether they agree, and what the bytes are.
 */
export async function isOfType(
  bytes: Uint8Array,
  type: string,
): Promise<{ ok: boolean; detected: string }> {
  // Loaded when there is something to look at, not at every cold start.
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
