/**
 * A failure that the user can fix.
 *
 * @module
 */

/** Ends a command with one sentence on what is wrong and one on what to do, and no stack trace. */
export class StackFailure extends Error {
  /** What to do about it. */
  readonly cure: string;

  /**
   * @param problem What is wrong, as a sentence without a full stop.
   * @param cure What to do next, as a sentence.
   * @param options `cause`: the error underneath, if there is one.
   */
  constructor(problem: string, cure: string, options?: ErrorOptions) {
    super(problem, options);
    this.name = "StackFailure";
    this.cure = cure;
  }
}
