/**
 * Pauses between the attempts of a request.
 *
 * @module
 */

/**
 * Returns the milliseconds before a request is sent again: at random, so that clients do not all come back at once.
 *
 * @param attempted how often it was sent
 * @param pause_ms before the second attempt; it doubles each time
 * @param after_ms what the server asks for at least
 */
export function pauseOf(attempted: number, pause_ms: number, after_ms: number): number {
  return Math.max(pause_ms * 2 ** (attempted - 1) * (0.5 + Math.random()), after_ms);
}
