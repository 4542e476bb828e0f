/**
 * Waiting with a time limit.
 *
 * @module
 */

/**
 * Waits for work to finish, but not longer than a limit.
 *
 * @param milliseconds Longest time to wait.
 * @param work The work. It continues after the limit.
 */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
