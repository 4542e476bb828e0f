import assert from "node:assert/strict";
import { pathToFileURL } from "node:url";

import { findImportsOutOf } from "./import_check.ts";

Deno.test("imports that lead out of a folder are found in every form, and no others", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${dir}/in/deep`, { recursive: true });
    await Deno.writeTextFile(
      `${dir}/in/deep/a.ts`,
      `import type { A } from "../../out/a.ts";
import "../b.ts";
import { b } from "../b.ts";
import { c } from "npm:c";
export * from '../../out/b.ts';
const d = await import("../../out/c.ts");
`,
    );
    await Deno.writeTextFile(`${dir}/in/b.ts`, `import {\n  e,\n} from "../in-too/e.ts";\n`);
    assert.deepEqual(await findImportsOutOf(pathToFileURL(`${dir}/in/`)), [
      "b.ts imports ../in-too/e.ts",
      "deep/a.ts imports ../../out/a.ts",
      "deep/a.ts imports ../../out/b.ts",
      "deep/a.ts imports ../../out/c.ts",
    ]);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
