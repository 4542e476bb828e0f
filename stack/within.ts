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
 * @returns What the work returned, or nothing after the limit.
 */
export async function within<T>(milliseconds: number, work: Promise<T>): Promise<T | undefined> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(resolve, milliseconds, undefined);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
