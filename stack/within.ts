/**
 * Waiting that ends.
 *
 * @module
 */

/**
 * Waits for something, but not for ever.
 *
 * @param milliseconds How long at most.
 * @param work What is waited for; it goes on by itself when it is late.
 */
export async function within(milliseconds: number, work: Promise<unknown>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<void>((resolve) => timer = setTimeout(resolve, milliseconds));
  await Promise.race([work, late]);
  clearTimeout(timer);
}
