/**
 * `deno task check`: everything about the project that is not a test.
 *
 * @module
 */

import { isHelp, taskCommand, unknownArgument } from "./command.ts";
import { checkCron, type NotRun } from "./cron_check.ts";
import { checkDomains } from "./domains_check.ts";
import { checkExample } from "./example_check.ts";
import { checkImports } from "./import_check.ts";
import { checkMigrations } from "./migration_check.ts";
import { platformDeno, supabaseCli } from "./npm_tools.ts";
import { PROJECT_DIR } from "./options.ts";
import { runPgtapOnPglite } from "./pglite.ts";
import { type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { say } from "./progress.ts";
import { withScratchDatabase } from "./scratch_database.ts";
import { generateTypes, TYPES_FILE } from "./types.ts";

const HELP = `Checks the project: everything, or only the named checks.

  ${taskCommand("check")} [NAME ...]

  --all            report a check as failed if this machine cannot run it
  --without=NAME   leave a check out

`;

/** A check returns what is wrong and what to do, nothing if all is well, or why it could not run. */
type Check = () => Promise<string | NotRun | undefined>;

const CHECKS: Record<string, Check> = {
  format: () => run(["fmt", "--check", "--quiet"], `Format with: ${taskCommand("fmt")}`),
  lint: () => run(["lint", "--quiet"], "Fix the problems above."),
  types: () =>
    run(
      ["check", "--quiet", "supabase", "client", "stack", "bench", "import"],
      "Fix the errors above.",
    ),
  imports: checkImports,
  migrations: checkMigrations,
  lockfile: () =>
    run(
      ["install", "--frozen", "--quiet"],
      "Run deno install, then commit deno.lock.",
    ),
  openapi: () =>
    run(
      ["task", "--quiet", "openapi", "--check"],
      `Update openapi.json with: ${taskCommand("openapi")}`,
    ),
  "client-types": () =>
    run(
      ["task", "--quiet", "client-types", "--check"],
      `Update client/generated/routes.ts with: ${taskCommand("client-types")}`,
    ),
  package: () => run(["task", "--quiet", "package"], "Fix the problems above."),
  // Before the others that need Chromium: it installs it if that is possible.
  example: checkExample,
  browser: () =>
    run(["run", "-A", "client/build/browser_check.ts"], "Run deno task package, then try again."),
  tutorial: () =>
    run(["run", "-A", "client/build/tutorial.ts"], "Correct docs/tutorial.md, or what it uses."),
  database: () => withScratchDatabase(checkDatabase),
  pglite: checkPglite,
  cron: checkCron,
  domains: checkDomains,
  "platform-runtime": checkPlatformRuntime,
};

/** Applies the migrations to an empty platform database with the official CLI. */
async function checkDatabase(
  access: DatabaseAccess,
): Promise<string | undefined> {
  const remote = `--remote=${databaseUrl(access, "postgres")}`;
  const push = await supabaseCli("db", "push", remote, "--yes");
  if (push.code !== 0) return `supabase db push failed:\n${push.output}`;
  const again = await supabaseCli("db", "push", remote, "--yes");
  if (again.code !== 0 || !/up to date/i.test(again.output)) {
    return `A second supabase db push still had migrations to apply:\n${again.output}`;
  }
  const findings = await adviseOn(remote);
  if (findings) return findings;

  if (await generateTypes(access) !== await Deno.readTextFile(TYPES_FILE)) {
    return `The generated types are out of date. Update them with: ${taskCommand("types")}`;
  }
}

/** In a database without queries, no index has been used yet. */
const EXPECTED_ADVICE = "unused_index";

async function adviseOn(remote: string): Promise<string | undefined> {
  const { stdout, output } = await supabaseCli(
    "db",
    "advisors",
    remote,
    "--level",
    "info",
  );
  const json = stdout.slice(stdout.indexOf("["), stdout.lastIndexOf("]") + 1);
  let findings: { name: string; level: string; detail: string }[];
  try {
    findings = JSON.parse(json || "[]");
  } catch {
    return `supabase db advisors printed unexpected output:\n${output}`;
  }
  if (findings.length === 0) {
    return `supabase db advisors has checked nothing, because it did not even report unused indexes:\n${output}`;
  }
  const unexpected = findings.filter((finding) => finding.name !== EXPECTED_ADVICE);
  if (unexpected.length === 0) return undefined;
  const lines = unexpected.map(({ level, name, detail }) => `${level} ${name}: ${detail}`);
  return `supabase db advisors found:\n${lines.join("\n")}`;
}

/** Runs the migrations and the pgTAP tests on a second engine, which has pgvector. */
async function checkPglite(): Promise<string | undefined> {
  const { passed, failed, skipped } = await runPgtapOnPglite();
  if (failed > 0 || passed === 0) {
    return `${failed} pgTAP tests failed on PGlite: see above.`;
  }
  if (skipped > 0) {
    return `${skipped} pgTAP tests were skipped on PGlite, which has everything that they need.`;
  }
}

/** Runs the tests of the functions with the Deno version of the platform's runtime. */
async function checkPlatformRuntime(): Promise<string | undefined> {
  return await run(
    ["task", "--quiet", "test", "--deno", "supabase/functions"],
    `If these tests pass with ${
      taskCommand("test")
    }, a function uses something that the platform's Deno does not have.`,
    { STACK_DENO: await platformDeno() },
  );
}

async function run(
  args: string[],
  cure: string,
  env: Record<string, string> = {},
): Promise<string | undefined> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd: PROJECT_DIR,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
  }).output();
  if (code === 0) return undefined;
  const decoder = new TextDecoder();
  return `${decoder.decode(stdout)}${decoder.decode(stderr)}\n${cure}`;
}

const WITHOUT = "--without=";

async function main(args: string[]): Promise<number> {
  const all = args.includes("--all");
  const without = args.filter((arg) => arg.startsWith(WITHOUT))
    .map((arg) => arg.slice(WITHOUT.length));
  const names = args.filter((arg) => arg !== "--all" && !arg.startsWith(WITHOUT));
  const unknown = unknownArgument([...names, ...without], (name) => name in CHECKS);
  if (unknown || names.some(isHelp)) {
    const help = `${HELP}Names: ${Object.keys(CHECKS).join(", ")}`;
    say(unknown ? `${unknown}.\n\n${help}` : help);
    return unknown ? 2 : 0;
  }
  let failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    if (names.length > 0 && !names.includes(name) || without.includes(name)) continue;
    const start = performance.now();
    const answer = await check();
    const notRun = typeof answer === "object" ? answer.notRun : undefined;
    if (notRun && !all) {
      say(`not run  ${name}: ${notRun}`);
      continue;
    }
    const problem = typeof answer === "object" ? answer.notRun : answer;
    const time = `${((performance.now() - start) / 1000).toFixed(1)} s`;
    say(`${problem ? "FAILED" : "ok"}  ${name} (${time})`);
    if (problem) {
      failed++;
      say(problem);
    }
  }
  return failed > 0 ? 1 : 0;
}

Deno.exit(await main(Deno.args));
