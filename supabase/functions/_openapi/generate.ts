/**
 * `deno task openapi`: writes the `openapi.json` of each function from its `openapi.ts`.
 *
 * @module
 */

const HELP = `Writes supabase/functions/NAME/openapi.json from NAME/openapi.ts and the schemas.

  deno task openapi            write them
  deno task openapi --check    only compare; exit 1 when one is out of date
`;

const FUNCTIONS = new URL("..", import.meta.url);

async function generate(check: boolean): Promise<number> {
  let stale = 0;
  for (const { name, isDirectory } of Deno.readDirSync(FUNCTIONS)) {
    if (!isDirectory || name.startsWith("_")) continue;
    const { document } = await import(new URL(`${name}/openapi.ts`, FUNCTIONS).href);
    const path = new URL(`${name}/openapi.json`, FUNCTIONS);
    const text = `${JSON.stringify(document, null, 2)}\n`;
    const current = await Deno.readTextFile(path).catch(() => "");
    if (current === text) continue;
    stale++;
    if (check) {
      console.error(`${name}/openapi.json is out of date. Write it with: deno task openapi`);
    } else await Deno.writeTextFile(path, text);
  }
  return check && stale > 0 ? 1 : 0;
}

if (Deno.args.some((arg) => arg !== "--check")) {
  console.log(HELP);
  Deno.exit(Deno.args.includes("--help") ? 0 : 2);
}
Deno.exit(await generate(Deno.args.includes("--check")));
