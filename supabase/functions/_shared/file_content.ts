/**
 * Checks that the first bytes of a file match its declared type.
 *
 * @module
 */

/**
 * Types whose files have the same containers, whatever brand or sub-type a phone or program has written. The names are
 * those that files are declared with, and those that `file-type` detects.
 */
const FAMILIES: string[][] = [
  ["image/png", "image/apng"],
  ["image/heic", "image/heif", "image/heic-sequence", "image/heif-sequence", "image/avif"],
  // AAC is stored as a stream of its own, or in MP4: "audio/aac" is either.
  [
    "audio/mp4",
    "audio/x-m4a",
    "audio/aac",
    "audio/3gpp",
    "video/mp4",
    "video/x-m4v",
    "video/quicktime",
    "video/3gpp",
    "video/3gpp2",
  ],
  ["audio/webm", "video/webm", "audio/x-matroska", "video/x-matroska", "video/matroska"],
  ["audio/ogg", "video/ogg", "application/ogg"],
  ["audio/mpeg"],
  ["audio/wav"],
  ["audio/flac"],
  ["audio/amr"],
  ["audio/aiff"],
  ["audio/x-caf"],
  ["image/jpeg"],
  ["image/gif"],
  ["image/webp"],
  ["image/bmp"],
  ["image/tiff"],
  ["image/x-icon"],
  ["video/x-msvideo", "video/vnd.avi"],
  ["application/pdf"],
];

const FAMILY_OF = new Map(FAMILIES.flatMap((family) => family.map((type) => [type, family])));

/** Types that are text, including SVG. */
const IS_TEXT = /^text\/|^image\/svg\+xml$/;

/** Types that are not text. */
const IS_BINARY = /^(image|audio|video)\/|^application\/pdf$/;

/** Byte order marks of UTF-16 and UTF-32, in which text has NUL bytes. */
const WIDE = [[0xff, 0xfe], [0xfe, 0xff], [0, 0, 0xfe, 0xff]];

/** Bytes that a PDF may have before its header, as readers allow. */
const PDF_OFFSET = 1024;

/** Bytes that may be between the beginning of an MP3 and its first frame. */
const MPEG_OFFSET = 1024;

/** An ID3 tag, which MP3, AAC and FLAC files may begin with. With a picture in it, it is longer than the first bytes. */
const ID3 = "ID3";
const TAGGED = ["audio/mpeg", "audio/aac", "audio/flac"];

/**
 * Compares the first bytes of a file with its declared type. Images, audio, video and PDF must begin with the signature
 * of their family, if it is known. Text must be text: in UTF-8 it may begin with any letters; in other encodings it must
 * not begin with a signature or contain NUL bytes. Other types are not checked.
 *
 * @param bytes The first bytes.
 * @param type The declared content type under its one name.
 * @returns Whether they match, and the type that the bytes have.
 */
export async function isOfType(
  bytes: Uint8Array,
  type: string,
): Promise<{ ok: boolean; detected: string }> {
  if (IS_TEXT.test(type)) {
    if (isUtf8(bytes)) return { ok: true, detected: type };
    const detected = await detect(bytes);
    if (IS_BINARY.test(detected) && !IS_TEXT.test(detected)) return { ok: false, detected };
    const isWide = WIDE.some((mark) => mark.every((byte, i) => bytes[i] === byte));
    return isWide || !bytes.includes(0)
      ? { ok: true, detected: type }
      : { ok: false, detected: detected || "application/octet-stream" };
  }
  const family = FAMILY_OF.get(type);
  if (!family) return { ok: true, detected: type };
  if (type === "application/pdf" && hasPdfHeader(bytes)) return { ok: true, detected: type };
  if (TAGGED.includes(type) && latin1(bytes.subarray(0, ID3.length)) === ID3) {
    return { ok: true, detected: type };
  }
  const detected = await detect(bytes);
  return { ok: family.includes(detected), detected: detected || "unknown" };
}

/** The type that a signature identifies; "" if there is none. */
async function detect(bytes: Uint8Array): Promise<string> {
  // Loaded on use, not at every cold start.
  const { fileTypeFromBuffer } = await import("file-type");
  const found = await fileTypeFromBuffer(bytes, { mpegOffsetTolerance: MPEG_OFFSET });
  return found?.mime.split(";")[0]?.toLowerCase() ?? "";
}

/** Whether the bytes are UTF-8 without NUL. The last character may be cut off. */
function isUtf8(bytes: Uint8Array): boolean {
  if (bytes.includes(0)) return false;
  try {
    new TextDecoder("utf-8", { fatal: true }).decode(bytes, { stream: true });
    return true;
  } catch {
    return false;
  }
}

function hasPdfHeader(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, PDF_OFFSET + 5)).includes("%PDF-");
}

function latin1(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}
