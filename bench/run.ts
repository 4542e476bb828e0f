/**
 * `deno task bench`: runs all benchmarks or only the named ones. Each prints ratios to a reference that it measures in
 * the same run.
 *
 * @module
 */

import { isHelp, taskCommand, unknownArgument } from "../stack/command.ts";

const BENCHMARKS = [
  "cold_start",
  "function_cpu",
  "policies",
  "credits",
  "credit_growth",
  "messages",
  "answers",
  "chats",
  "files",
  "cleanup",
  "webhooks",
  "neighbours",
  "exports",
  "limits",
  "scale",
];

const HELP =
  `Runs all benchmarks, or only the named ones. Each prints ratios to a reference from the same run.

  ${taskCommand("bench")} [NAME ...]

Names: ${BENCHMARKS.join(", ")}
`;

const names = Deno.args.length > 0 ? Deno.args : BENCHMARKS;
const unknown = unknownArgument(names, (name) => BENCHMARKS.includes(name));
if (unknown || names.some(isHelp)) {
  console.log(unknown ? `${unknown}.\n\n${HELP}` : HELP);
  Deno.exit(unknown ? 2 : 0);
}
for (const name of names) await import(`./${name}.ts`);
