/**
 * Reads the table in `docs/domains.md`: which domains a product can delete, and what belongs to each.
 *
 * @module
 */

import { StackFailure } from "./failure.ts";
import { PROJECT_DIR } from "./options.ts";

/** A row of the table. */
export interface Domain {
  name: string;
  /** Domains that need this one. */
  dependents: string[];
  /** Names of migrations, without version and ending. */
  migrations: string[];
  /** Folders and files, relative to `supabase/`. */
  paths: string[];
  /** First words of the names of settings. */
  settings: string[];
  /** Names of cleanup jobs. */
  jobs: string[];
}

/** File of the table. */
export const DOMAINS_FILE = "docs/domains.md";

/**
 * Reads the table.
 *
 * @param text Text of the page.
 */
export function readDomains(
  text: string = Deno.readTextFileSync(`${PROJECT_DIR}/${DOMAINS_FILE}`),
): Domain[] {
  return text.split("\n").flatMap((line) => {
    const cells = line.split("|").slice(1, -1).map(words);
    const [[name] = [], dependents, migrations, paths, settings, jobs] = cells;
    if (!name || !dependents || !migrations || !paths || !settings || !jobs) return [];
    return [{ name, dependents, migrations, paths, settings, jobs }];
  });
}

/**
 * Adds the domains that depend on the named ones.
 *
 * @param domains All domains.
 * @param names Names of the domains to take out.
 * @throws {StackFailure} for an unknown name.
 */
export function withDependents(domains: Domain[], names: string[]): Domain[] {
  const found = new Map<string, Domain>();
  for (const pending = [...names]; pending.length > 0;) {
    const name = pending.pop()!;
    const domain = domains.find((one) => one.name === name);
    if (!domain) {
      throw new StackFailure(
        `There is no domain "${name}"`,
        `Name one or more of these domains: ${domains.map((one) => one.name).join(", ")}`,
      );
    }
    if (found.has(name)) continue;
    found.set(name, domain);
    pending.push(...domain.dependents);
  }
  return [...found.values()];
}

function words(cell: string): string[] {
  return [...cell.matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word);
}
