import assert from "node:assert/strict";

import { test } from "../../supabase/functions/_testing/testing.ts";

/** Asks the model in a process of its own, whose output nothing else writes to. */
const ASK = `
  const { PLAYED_KEY, startPlayedModel } = await import(Deno.args[0]);
  const model = startPlayedModel();
  const response = await fetch(model.url + "/chat/completions", {
    method: "POST",
    headers: { authorization: "Bearer " + PLAYED_KEY },
    body: JSON.stringify({ model: "played", messages: [{ role: "user", content: "[fail] [pace=0]" }] }),
  });
  let text = "";
  try {
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) text += chunk;
    console.log("complete");
  } catch {
    console.log("broken", text.split("data: ").length);
  }
  await model.stop();`;

test("the played model breaks a connection in the middle, and logs nothing about it", async () => {
  const dir = await Deno.makeTempDir();
  try {
    await Deno.writeTextFile(`${dir}/ask.ts`, ASK);
    const { stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-config",
        "--quiet",
        `${dir}/ask.ts`,
        import.meta.resolve("./server.ts"),
      ],
    }).output();
    const decoder = new TextDecoder();
    // The role, and five words.
    assert.equal(decoder.decode(stdout).trim(), "broken 7");
    assert.equal(decoder.decode(stderr), "");
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
});
