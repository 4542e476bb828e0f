/**
 * Requests that may take as long as their bytes keep moving: an object can be of any size.
 *
 * @module
 */

/** Milliseconds in which nothing moves before a request is given up. */
const PATIENCE_MS = 120_000;

/**
 * Sends a request, and gives it up when nothing of it has moved for two minutes.
 *
 * @param input As for `fetch`.
 * @param init As for `fetch`, without a signal.
 */
export async function fetchWhileMoving(
  input: RequestInfo | URL,
  init: RequestInit = {},
): Promise<Response> {
  const controller = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const stop = () => clearTimeout(timer);
  const move = () => {
    stop();
    const stalled = new Error("Nothing was transferred for two minutes");
    timer = setTimeout(() => controller.abort(stalled), PATIENCE_MS);
  };
  move();
  try {
    const body = init.body instanceof ReadableStream
      ? init.body.pipeThrough(watching(move, move))
      : init.body ?? null;
    const response = await fetch(input, { ...init, body, signal: controller.signal });
    if (!response.body) {
      stop();
      return response;
    }
    move();
    return new Response(response.body.pipeThrough(watching(move, stop)), response);
  } catch (error) {
    stop();
    throw error;
  }
}

function watching(move: () => void, end: () => void): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    transform(chunk, stream) {
      move();
      stream.enqueue(chunk);
    },
    flush: end,
    cancel: end,
  });
}
