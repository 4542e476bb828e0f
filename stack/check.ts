/**
 * `deno task check`: everything about the project that is not a test.
 *
 * @module
 */

import { checkCron, type NotRun } from "./cron_check.ts";
import { checkDomains } from "./domains_check.ts";
import { checkImports } from "./import_check.ts";
import { checkMigrations } from "./migration_check.ts";
import { platformDeno, supabaseCli } from "./npm_tools.ts";
import { PROJECT_DIR } from "./options.ts";
import { runPgtapOnPglite } from "./pglite.ts";
import { type DatabaseAccess, databaseUrl } from "./postgres.ts";
import { say } from "./progress.ts";
import { withScratchDatabase } from "./scratch_database.ts";
import { generateTypes, TYPES_FILE } from "./types.ts";

const HELP = `Checks the project, all of it or the checks named.

  deno task check [NAME ...]

  --all   what cannot be checked on this machine counts as failed

`;

/** A check answers what is wrong and what to do about it, or nothing; or what keeps it from being made. */
type Check = () => Promise<string | NotRun | undefined>;

const CHECKS: Record<string, Check> = {
  format: () => run(["fmt", "--check", "--quiet"], "Format with: deno task fmt"),
  lint: () => run(["lint", "--quiet"], "See above."),
  types: () => run(["check", "--quiet", "supabase", "client", "stack", "bench"], "See above."),
  imports: checkImports,
  migrations: checkMigrations,
  lockfile: () => run(["install", "--frozen", "--quiet"], "Commit deno.lock as deno writes it."),
  openapi: () =>
    run(["task", "--quiet", "openapi", "--check"], "Write them with: deno task openapi"),
  database: () => withScratchDatabase(checkDatabase),
  pglite: checkPglite,
  cron: checkCron,
  domains: checkDomains,
  "platform-runtime": checkPlatformRuntime,
};

/** The migrations on an empty platform database, by the official CLI. */
async function checkDatabase(access: DatabaseAccess): Promise<string | undefined> {
  const remote = `--remote=${databaseUrl(access, "postgres")}`;
  const push = await supabaseCli("db", "push", remote, "--yes");
  if (push.code !== 0) return `supabase db push failed:\n${push.output}`;
  const again = await supabaseCli("db", "push", remote, "--yes");
  if (again.code !== 0 || !/up to date/i.test(again.output)) {
    return `A second supabase db push found something to do:\n${again.output}`;
  }
  const findings = await adviseOn(remote);
  if (findings) return findings;

  if (await generateTypes(access) !== await Deno.readTextFile(TYPES_FILE)) {
    return "The generated types are out of date. Write them with: deno task types";
  }
}

/** On a database that nobody has queried, no index has been used yet. */
const EXPECTED_ADVICE = "unused_index";

async function adviseOn(remote: string): Promise<string | undefined> {
  const { stdout, output } = await supabaseCli("db", "advisors", remote, "--level", "info");
  const json = stdout.slice(stdout.indexOf("["), stdout.lastIndexOf("]") + 1);
  let findings: { name: string; level: string; detail: string }[];
  try {
    findings = JSON.parse(json || "[]");
  } catch {
    return `supabase db advisors answered something else:\n${output}`;
  }
  if (findings.length === 0) {
    return `supabase db advisors found not even unused indexes:\n${output}`;
  }
  const unexpected = findings.filter((finding) => finding.name !== EXPECTED_ADVICE);
  if (unexpected.length === 0) return undefined;
  const lines = unexpected.map(({ level, name, detail }) => `${level} ${name}: ${detail}`);
  return `supabase db advisors found:\n${lines.join("\n")}`;
}

/** The migrations and the pgTAP tests on a second engine, which has pgvector. */
async function checkPglite(): Promise<string | undefined> {
  const { passed, failed, skipped } = await runPgtapOnPglite();
  if (failed > 0 || passed === 0) return `${failed} pgTAP tests failed on PGlite: see above.`;
  if (skipped > 0) return `${skipped} pgTAP tests were skipped: PGlite has all that they need.`;
}

/** The tests of the functions, with the functions under the Deno of the platform's runtime. */
async function checkPlatformRuntime(): Promise<string | undefined> {
  return await run(
    ["task", "--quiet", "test", "--deno", "supabase/functions"],
    "They pass under a newer Deno: look for what the platform's runtime has not.",
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

async function main(args: string[]): Promise<number> {
  const all = args.includes("--all");
  const names = args.filter((arg) => arg !== "--all");
  if (names.some((name) => !(name in CHECKS))) {
    say(`${HELP}Names: ${Object.keys(CHECKS).join(", ")}`);
    return names.includes("--help") ? 0 : 2;
  }
  let failed = 0;
  for (const [name, check] of Object.entries(CHECKS)) {
    if (names.length > 0 && !names.includes(name)) continue;
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
