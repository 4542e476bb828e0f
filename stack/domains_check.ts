/**
 * Checks that each domain can be taken out: for each row of `docs/domains.md`, takes the domain out of a copy and tests
 * that the rest works.
 *
 * @module
 */

import { readDomains } from "./domains.ts";
import { PROJECT_DIR } from "./options.ts";
import { say } from "./progress.ts";

/** Rows that are tried at the same time. */
const AT_ONCE = 2;

/** The steps for each copy, in order. */
const STEPS: { name: string; args: (domain: string, copy: string) => string[] }[] = [
  { name: "take it out", args: (domain) => ["task", "take-out", domain] },
  { name: "apply the migrations", args: () => ["task", "types"] },
  { name: "compile what remains", args: (_, copy) => ["check", "--quiet", ...modulesIn(copy)] },
  { name: "describe the functions", args: () => ["task", "openapi"] },
  { name: "run the pgTAP tests", args: () => ["task", "test", "--sql", "--lanes=1"] },
];

/** Returns what does not work without a domain; undefined if everything works. */
export async function checkDomains(): Promise<string | undefined> {
  const pending = readDomains().map(({ name }) => name);
  const faults: string[] = [];
  const lane = async () => {
    for (let domain = pending.shift(); domain; domain = pending.shift()) {
      const start = performance.now();
      const fault = await tryWithout(domain);
      const time = `${((performance.now() - start) / 1000).toFixed(0)} s`;
      say(`    ${fault ? "failed" : "ok"}  without ${domain} (${time})`);
      if (fault) faults.push(fault);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, lane));
  if (faults.length === 0) return undefined;
  return `${faults.join("\n")}\nCorrect the row in docs/domains.md, or remove the dependency.`;
}

async function tryWithout(domain: string): Promise<string | undefined> {
  const copy = await Deno.makeTempDir({ prefix: "strongroom-domains-" });
  try {
    // PostgreSQL's user needs access to it.
    await Deno.chmod(copy, 0o755);
    await copyProject(copy);
    for (const { name, args } of STEPS) {
      const { code, output } = await deno(args(domain, copy), copy);
      if (code !== 0) return `Without ${domain}, cannot ${name}:\n${tail(output)}`;
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}

/** All modules but tests, and but examples, which are projects of their own and show all domains. */
function modulesIn(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) => {
    const path = `${folder}/${name}`;
    if (isDirectory) return ["tests", "examples"].includes(name) ? [] : modulesIn(path);
    return name.endsWith(".ts") && !/_test(ing)?\.ts$/.test(name) ? [path] : [];
  });
}

async function copyProject(copy: string): Promise<void> {
  const { stdout } = await new Deno.Command("git", {
    args: ["ls-files", "-z", "--cached", "--others", "--exclude-standard"],
    cwd: PROJECT_DIR,
  }).output();
  for (const file of new TextDecoder().decode(stdout).split("\0").filter(Boolean)) {
    const folder = file.slice(0, file.lastIndexOf("/") + 1);
    await Deno.mkdir(`${copy}/${folder}`, { recursive: true });
    await Deno.copyFile(`${PROJECT_DIR}/${file}`, `${copy}/${file}`);
  }
  await Deno.symlink(`${PROJECT_DIR}/node_modules`, `${copy}/node_modules`);
}

async function deno(args: string[], cwd: string): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
    stdin: "null",
  }).output();
  const decoder = new TextDecoder();
  return { code, output: decoder.decode(stdout) + decoder.decode(stderr) };
}

/** The lines that say what is wrong. */
function tail(output: string): string {
  const lines = output.split("\n").filter((line) => !/^ok /.test(line));
  return lines.slice(-40).join("\n");
}
