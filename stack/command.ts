/**
 * How the user runs the project's commands: messages repeat it, so that it can be copied.
 *
 * @module
 */

/**
 * The command line of a task, as the user has Deno: `deno task stop`, or `npx --yes deno@2.9.6 task stop` if `npx` runs this
 * process.
 *
 * @param name The task, with arguments if it needs any.
 */
export function taskCommand(name: string): string {
  return `${denoCommand()} task ${name}`;
}

/** How the user calls Deno itself. */
export function denoCommand(): string {
  return Deno.env.get("npm_lifecycle_event") === "npx"
    ? `npx --yes deno@${Deno.version.deno}`
    : "deno";
}

/**
 * Names the arguments that a command does not know.
 *
 * @param args All arguments.
 * @param isKnown Whether the command knows one.
 * @returns `Unknown option --x`, `Unknown argument x`, or nothing if all are known. `--help` and `-h` are always known.
 */
export function unknownArgument(
  args: string[],
  isKnown: (arg: string) => boolean,
): string | undefined {
  const unknown = args.find((arg) => !isHelp(arg) && !isKnown(arg));
  if (unknown === undefined) return undefined;
  return `Unknown ${unknown.startsWith("-") ? "option" : "argument"} ${unknown}`;
}

/** Whether an argument asks for help. */
export function isHelp(arg: string | undefined): boolean {
  return arg === "--help" || arg === "-h";
}
