import assert from "node:assert/strict";

import { PROJECT_DIR } from "./options.ts";

Deno.test("every command names an option that it does not know, and does nothing", async () => {
  const files = ["stack/run_tests.ts", "stack/check.ts", "stack/take_out.ts", "stack/types.ts"];
  for (const file of [...files, "stack/exposure.ts", "bench/run.ts", "import/main.ts"]) {
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--quiet", file, "--nonsense"],
      cwd: PROJECT_DIR,
      env: { NO_COLOR: "1" },
    }).output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.equal(code, 2, file);
    assert.match(output, /^\s*Unknown option '?--nonsense/, file);
  }
});
