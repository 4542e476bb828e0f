/**
 * `deno task bench`: runs all benchmarks or only the named ones. Each prints ratios to a reference that it measures in
 * the same run.
 *
 * @module
 */

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

  deno task bench [NAME ...]

Names: ${BENCHMARKS.join(", ")}
`;

const names = Deno.args.length > 0 ? Deno.args : BENCHMARKS;
if (names.some((name) => !BENCHMARKS.includes(name))) {
  console.log(HELP);
  Deno.exit(names.includes("--help") ? 0 : 2);
}
for (const name of names) await import(`./${name}.ts`);
