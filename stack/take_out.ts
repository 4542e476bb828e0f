/**
 * `deno task take-out`: deletes domains from a checkout, as the table in `docs/domains.md` says.
 *
 * @module
 */

import { type Domain, DOMAINS_FILE, readDomains, withDependents } from "./domains.ts";
import { StackFailure } from "./failure.ts";
import { listMigrations, MIGRATIONS_DIR } from "./migrations.ts";
import { PROJECT_DIR } from "./options.ts";
import { say } from "./progress.ts";
import { namesIn, trimTests } from "./test_trimming.ts";
import { listTests, PGTAP_HELPERS } from "./test_files.ts";

const HELP = `Deletes domains from this checkout, and the domains that need them.

  deno task take-out NAME ...

Names: ${readDomains().map(({ name }) => name).join(", ")}. What each is: ${DOMAINS_FILE}
`;

const SUPABASE = `${PROJECT_DIR}/supabase`;

/**
 * Deletes domains from the checkout.
 *
 * @param domains The domains to delete.
 */
export async function takeOut(domains: Domain[]): Promise<void> {
  const migrations = domains.flatMap((domain) => domain.migrations).map(pathOfMigration);
  const gone = await namesIn(migrations.map((path) => Deno.readTextFileSync(path)));
  const jobs = domains.flatMap((domain) => domain.jobs);
  gone.values.push(...jobs);

  const paths = domains.flatMap((domain) => domain.paths).map((path) => `${SUPABASE}/${path}`);
  for (const path of new Set([...migrations, ...paths])) {
    await Deno.remove(path, { recursive: true }).catch((error) => {
      // The folder of another domain may have contained it.
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    });
  }
  const prefixes = domains.flatMap((domain) => domain.settings);
  editMigration(
    "limits_and_retention",
    (text) => removeRows(text, prefixes.map((name) => `'${name}\\.`)),
  );
  editMigration("cleanup_jobs", (text) => {
    const rows = removeRows(text, jobs.map((job) => `'${job}'`));
    return jobs.reduce(removeSection, rows);
  });
  const functions = paths.flatMap((path) => path.match(/\/functions\/([a-z]+)$/)?.[1] ?? []);
  edit(`${SUPABASE}/config.toml`, (text) => functions.reduce(removeConfiguration, text));
  const names = domains.map(({ name }) => name);
  const pgtap = listTests().filter(({ kind }) => kind === "pgtap").map(({ path }) => path);
  for (const path of ["supabase/seed.sql", PGTAP_HELPERS, ...pgtap]) {
    const file = `${PROJECT_DIR}/${path}`;
    const text = Deno.readTextFileSync(file);
    const trimmed = await trimTests(text, names, gone);
    Deno.writeTextFileSync(file, trimmed);
    if (path !== PGTAP_HELPERS) continue;
    const left = (await namesIn([trimmed])).functions;
    gone.functions.push(
      ...(await namesIn([text])).functions.filter((name) => !left.includes(name)),
    );
  }
  edit(
    `${PROJECT_DIR}/${DOMAINS_FILE}`,
    (text) =>
      text.split("\n").filter((line) => !names.some((name) => line.startsWith(`| \`${name}\` `)))
        .join("\n"),
  );
}

function pathOfMigration(name: string): string {
  const migration = listMigrations().find((one) => one.name === name);
  if (!migration) {
    throw new StackFailure(`Unknown migration "${name}" of a domain`, `Correct ${DOMAINS_FILE}`);
  }
  return `${MIGRATIONS_DIR}/${migration.file}`;
}

function editMigration(name: string, change: (text: string) => string): void {
  // Its own domain may have been taken out.
  if (listMigrations().some((one) => one.name === name)) edit(pathOfMigration(name), change);
}

function edit(path: string, change: (text: string) => string): void {
  Deno.writeTextFileSync(path, change(Deno.readTextFileSync(path)));
}

/** Removes the rows of an insert that begin with one of the patterns. A row may have two lines. */
function removeRows(text: string, beginnings: string[]): string {
  return beginnings.reduce((rest, beginning) => {
    const row = `\\n  \\(${beginning}[^\\n]*(?:\\n    [^\\n]*)*`;
    return rest
      .replaceAll(new RegExp(`${row}(?<=\\),)`, "g"), "")
      .replaceAll(new RegExp(`,${row}(?<=\\);)`, "g"), ";");
  }, text);
}

/** Removes the section with a name as heading. */
function removeSection(text: string, name: string): string {
  return text.replace(new RegExp(`\\n-- ${name} -+\\n[^]*?(?=\\n-- \\S[^\\n]* -{10,}\\n|$)`), "");
}

/** Removes the section of a function and the comments before it. */
function removeConfiguration(text: string, name: string): string {
  return text.replace(
    new RegExp(`(\\n#[^\\n]*)*\\n\\[functions\\.${name}\\]\\n[^[]*?(?=\\n\\n|$)`),
    "",
  );
}

async function main(names: string[]): Promise<number> {
  if (names.length === 0 || names.some((name) => name.startsWith("-"))) {
    say(HELP);
    return names.includes("--help") || names.includes("-h") ? 0 : 2;
  }
  const domains = withDependents(readDomains(), names);
  say(`Taking out: ${domains.map(({ name }) => name).join(", ")}`);
  await takeOut(domains);
  say(
    "Next, update the generated files with deno task types, exposure and openapi. Then run deno task test.",
  );
  return 0;
}

if (import.meta.main) {
  try {
    Deno.exit(await main(Deno.args));
  } catch (error) {
    if (!(error instanceof StackFailure)) throw error;
    say(`${error.message}.\n${error.cure}`);
    Deno.exit(1);
  }
}
