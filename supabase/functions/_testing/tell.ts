/**
 * Lines that a test prints even if it passes, such as the seed of its random choices. The test runner hides everything else.
 *
 * @module
 */

/** The file in the folder of a stack that takes these lines. The runner prints it and removes it after each test file. */
export const TOLD = "told.txt";

/**
 * Prints a line when the file of the test has ended.
 *
 * @param line The line, without an end of line.
 */
export function tell(line: string): void {
  Deno.writeTextFileSync(`${Deno.env.get("STACK_TEST_DIR")}/${TOLD}`, `${line}\n`, {
    append: true,
  });
}
