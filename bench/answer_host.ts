/**
 * The processes of the benchmark `answers`, one for each argument. Each prints a line of JSON when it is ready, and ends
 * when its stdin closes.
 *
 * - `model`: the played model.
 * - `proxy URL KEY`: the reference. It passes a request on to the model, and the model's stream back. It authenticates
 *   nobody, and stores and charges nothing.
 * - `stack DIR`: the local stack.
 *
 * @module
 */

import { readOptions } from "../stack/options.ts";
import { startPlayedModel } from "../stack/played_model/server.ts";
import { freePorts } from "../stack/ports.ts";
import { noReport, say } from "../stack/progress.ts";
import { startStack } from "../stack/stack.ts";
import { DURABLE } from "./throughput.ts";

const [role, ...args] = Deno.args;

function startProxy(url: string, key: string): { port: number } {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const { message } = await request.json();
      const { body, status } = await fetch(`${url}/chat/completions`, {
        method: "POST",
        headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
        body: JSON.stringify({
          model: "played",
          stream: true,
          messages: [{ role: "user", content: message }],
        }),
      });
      return new Response(body, { status, headers: { "content-type": "text/event-stream" } });
    },
  );
  return { port: server.addr.port };
}

let stop = () => Promise.resolve();
switch (role) {
  case "model":
    say(JSON.stringify({ url: startPlayedModel().url }));
    break;
  case "proxy":
    say(JSON.stringify(startProxy(args[0] ?? "", args[1] ?? "")));
    break;
  case "stack": {
    const stack = await startStack(
      { ...await readOptions(), dir: args[0] ?? "", ...freePorts() },
      { report: noReport, log: () => {}, watch: false, durable: DURABLE, schedule: false },
    );
    stop = () => stack.stop();
    say(JSON.stringify(stack.environment));
    break;
  }
}
for await (const _ of Deno.stdin.readable) { /* nothing is ever sent */ }
await stop();
Deno.exit(0);
