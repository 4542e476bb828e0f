/**
 * `deno task take-out`: deletes domains from a checkout, as the table in `docs/domains.md` says.
 *
 * @module
 */

import { existsSync } from "node:fs";

import { isHelp, taskCommand, unknownArgument } from "./command.ts";
import { type Domain, DOMAINS_FILE, readDomains, withDependents } from "./domains.ts";
import { StackFailure } from "./failure.ts";
import { removeCalls, removeUses } from "./line_removal.ts";
import { listMigrations, MIGRATIONS_DIR } from "./migrations.ts";
import { PROJECT_DIR } from "./options.ts";
import { say } from "./progress.ts";
import { type Names, namesIn, trimTests } from "./test_trimming.ts";
import { listTests, PGTAP_HELPERS } from "./test_files.ts";

const HELP = `Deletes domains from this checkout, together with the domains that need them.

  ${taskCommand("take-out")} NAME ...

Names: ${
  readDomains().map(({ name }) => name).join(", ")
}. ${DOMAINS_FILE} says what is deleted with each.
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
  const sections: string[] = [];
  editMigration("cleanup_jobs", (text) => {
    // The jobs of files have a migration of their own, which goes as a whole.
    sections.push(...jobs.map((job) => sectionOf(text, job)).filter((section) => section !== ""));
    const rows = removeRows(text, jobs.map((job) => `'${job}'`));
    return sections.reduce((rest, section) => rest.replace(section, ""), rows);
  });
  addNames(gone, await namesIn(sections));
  for (const { file } of listMigrations()) {
    edit(`${MIGRATIONS_DIR}/${file}`, (text) => removeCalls(text, gone.functions));
  }
  for (const path of listModules()) edit(path, (text) => removeUses(text, path, existsSync));
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

/** The modules of the functions. A test that needs what is gone has to go with its domain. */
function listModules(): string[] {
  const root = `${SUPABASE}/functions`;
  return [...Deno.readDirSync(root)].filter(({ isDirectory }) => isDirectory).flatMap(({ name }) =>
    [...Deno.readDirSync(`${root}/${name}`)]
      .map((file) => `${root}/${name}/${file.name}`)
      .filter((path) => path.endsWith(".ts") && !/_test(ing)?\.ts$/.test(path))
  );
}

function pathOfMigration(name: string): string {
  const migration = listMigrations().find((one) => one.name === name);
  if (!migration) {
    throw new StackFailure(
      `There is no migration "${name}", which ${DOMAINS_FILE} names`,
      `Correct the row in ${DOMAINS_FILE}.`,
    );
  }
  return `${MIGRATIONS_DIR}/${migration.file}`;
}

function editMigration(name: string, change: (text: string) => string): void {
  // Its own domain may have been taken out.
  if (listMigrations().some((one) => one.name === name)) edit(pathOfMigration(name), change);
}

function edit(path: string, change: (text: string) => string): void {
  const text = Deno.readTextFileSync(path);
  const changed = change(text);
  if (changed !== text) Deno.writeTextFileSync(path, changed);
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

/** What is under the heading of a name, with the heading. */
function sectionOf(text: string, name: string): string {
  const section = new RegExp(`\\n-- ${name} -+\\n[^]*?(?=\\n-- \\S[^\\n]* -{10,}\\n|$)`);
  return text.match(section)?.[0] ?? "";
}

function addNames(names: Names, more: Names): void {
  names.relations.push(...more.relations);
  names.functions.push(...more.functions);
  names.values.push(...more.values);
}

/** Removes the section of a function and the comments before it. */
function removeConfiguration(text: string, name: string): string {
  return text.replace(
    new RegExp(`(\\n#[^\\n]*)*\\n\\[functions\\.${name}\\]\\n[^[]*?(?=\\n\\n|$)`),
    "",
  );
}

async function main(names: string[]): Promise<number> {
  const unknown = unknownArgument(names, (name) => !name.startsWith("-"));
  if (unknown || names.length === 0 || names.some(isHelp)) {
    say(unknown ? `${unknown}.\n\n${HELP}` : HELP);
    return !unknown && names.some(isHelp) ? 0 : 2;
  }
  const domains = withDependents(readDomains(), names);
  say(`Taking out: ${domains.map(({ name }) => name).join(", ")}`);
  await takeOut(domains);
  say(`Now update the generated files, and run the remaining tests:

  ${taskCommand("types")}
  ${taskCommand("exposure")}
  ${taskCommand("openapi")}
  ${taskCommand("test")}`);
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
