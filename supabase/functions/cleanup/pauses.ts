/**
 * How long a run of cleanup jobs pauses between two batches, so that other requests have the database meanwhile.
 *
 * @module
 */

/**
 * How many times as long as its batch a job pauses, if not as long. Sealing is not urgent, and reads and hashes every
 * entry there is.
 */
const TIMES: Record<string, number> = { credit_seals: 4 };

/**
 * The pause after a batch.
 *
 * @param job The job.
 * @param took How long the batch took, in milliseconds.
 * @returns Milliseconds: as long as the batch took, or a multiple of that.
 */
export function pauseAfter(job: string, took: number): number {
  return took * (TIMES[job] ?? 1);
}
