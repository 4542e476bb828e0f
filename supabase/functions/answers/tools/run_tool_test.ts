import assert from "node:assert/strict";

import * as z from "zod/mini";

import { MOST_OUTPUT_BYTES, toOutput } from "./output.ts";
import { describeTool, SERVER_TOOLS } from "./registry.ts";
import { checkCall, runCall } from "./run_tool.ts";
import { type ServerTool, serverTool, type ToolContext, ToolError } from "./server_tool.ts";

const context = {} as Omit<ToolContext, "signal">;

/** Runs a tool that does something. */
function run(
  tool: Partial<ServerTool> & Pick<ServerTool, "run">,
  signal = new AbortController().signal,
) {
  const whole = serverTool({ name: "odd", description: "Odd", input: z.unknown(), ...tool });
  return runCall({ tool: whole, input: {}, needsApproval: false }, context, signal);
}

const never = () => new Promise<never>(() => {});

Deno.test("whatever a tool does, the model gets an output that it can read", async () => {
  const cycle: Record<string, unknown> = {};
  cycle.self = cycle;
  let deep: unknown = 1;
  for (let n = 0; n < 200; n++) deep = [deep];
  const cases: [what: () => unknown, told: RegExp][] = [
    [() => Promise.reject(new ToolError("Not today")), /^Not today$/],
    // A message may repeat what the model has written.
    [() => Promise.reject(new ToolError("No \0 \ud800")), /^No \ufffd \ufffd$/],
    [() => Promise.reject(new ToolError("x".repeat(1_000_000))), /^x{2000}$/],
    [() => Promise.reject(new Error("the secret of the database")), /^The tool failed$/],
    [() => {
      throw "a text";
    }, /^The tool failed$/],
    [() => "x".repeat(10 * 1024 * 1024), /more than 32768 bytes/],
    [() => undefined, /not JSON/],
    [() => cycle, /not JSON/],
    [() => 1n, /not JSON/],
    [() => ({
      toJSON: () => {
        throw new Error("No");
      },
    }), /not JSON/],
    [() => deep, /cannot be stored/],
    [() => ({ n: [1e300] }), /cannot be stored/],
  ];
  for (const [what, told] of cases) {
    // deno-lint-ignore require-await -- what is thrown at once must become a rejection
    const output = await run({ run: async () => what() });
    assert.equal(output.state, "output-error");
    assert.match(output.errorText ?? "", told);
  }
});

Deno.test("a tool that hangs is given up after its time, and with the answer, and learns of both", async () => {
  let signal: AbortSignal | undefined;
  const hang: ServerTool["run"] = (_, context) => {
    signal = context.signal;
    return never();
  };
  assert.deepEqual(await run({ timeoutMs: 5, run: hang }), {
    state: "output-error",
    errorText: "The tool took longer than 5 ms",
  });
  assert.ok(signal!.aborted);

  const stop = new AbortController();
  const running = run({ run: hang }, stop.signal);
  stop.abort();
  assert.match((await running).errorText ?? "", /^The answer ended/);
  assert.ok(signal!.aborted);
});

Deno.test("what a tool returns is stored as it is, but for what the database cannot hold", () => {
  assert.deepEqual(toOutput({ a: [1, -2.5e-7, 1e21, null, "東京"] }), {
    a: [1, -2.5e-7, 1e21, null, "東京"],
  });
  assert.deepEqual(toOutput("a\0b\ud800"), "a\ufffdb\ufffd");
  assert.equal(toOutput("x".repeat(MOST_OUTPUT_BYTES - 2)), "x".repeat(MOST_OUTPUT_BYTES - 2));
  assert.throws(() => toOutput("x".repeat(MOST_OUTPUT_BYTES - 1)), ToolError);
});

Deno.test("every tool of the server has a name and a schema that models take", () => {
  for (const tool of SERVER_TOOLS) {
    assert.match(tool.name, /^[A-Za-z0-9_-]{1,64}$/);
    const { function: { parameters } } = describeTool(tool) as {
      function: { parameters: Record<string, unknown> };
    };
    assert.deepEqual([parameters.type, "$schema" in parameters], ["object", false]);
  }
  assert.equal(new Set(SERVER_TOOLS.map(({ name }) => name)).size, SERVER_TOOLS.length);
});

Deno.test("a tool needs approval never, always, or depending on its input, which its schema has checked", () => {
  const input = z.strictObject({ amount: z.int() });
  const check = (needsApproval: ServerTool["needsApproval"], given: unknown) =>
    checkCall("pay", given, [{
      name: "pay",
      description: "Pays",
      input,
      ...needsApproval !== undefined && { needsApproval },
      run: never,
    }]);
  const large = (given: unknown) => (given as { amount: number }).amount > 10;
  for (
    const [needs, amount, expected] of [
      [undefined, 50, false],
      [true, 1, true],
      [large, 50, true],
      [large, 5, false],
    ] as const
  ) {
    const checked = check(needs, { amount });
    assert.ok("tool" in checked);
    assert.equal(checked.needsApproval, expected);
  }
  const wrong = check(large, { amount: "all" });
  assert.ok("state" in wrong);
  assert.match(wrong.errorText ?? "", /amount/);
  const failing = check(() => {
    throw new Error("the secret of the database");
  }, { amount: 1 });
  assert.deepEqual(failing, { state: "output-error", errorText: "The tool failed" });
});
