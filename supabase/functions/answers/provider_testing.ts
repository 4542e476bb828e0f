/**
 * For tests of answers: a provider that says what it is told to.
 *
 * @module
 */

import { serviceClient } from "../_testing/testing.ts";
import { withModel } from "./answers_testing.ts";

/** What a provider sends: the events of its stream, or a whole response. */
export type Script = (request: { messages: unknown[] }) => unknown[] | Response;

/** Runs a test with a model whose provider says what it is told to. */
export async function withProvider(
  script: Script,
  run: (model: string) => Promise<void>,
  columns: Parameters<typeof withModel>[0] = {},
): Promise<void> {
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      const said = script(await request.json());
      if (said instanceof Response) return said;
      const encoder = new TextEncoder();
      return new Response(
        new ReadableStream({
          start(controller) {
            for (const event of said) {
              const data = typeof event === "string" ? event : JSON.stringify(event);
              controller.enqueue(encoder.encode(`data: ${data}\n\n`));
            }
            if (said.at(-1) !== HANG) controller.close();
          },
        }),
        { headers: { "content-type": "text/event-stream" } },
      );
    },
  );
  const service = serviceClient();
  const provider = `test_${crypto.randomUUID().slice(0, 8)}`;
  const base_url = `http://127.0.0.1:${server.addr.port}/v1`;
  const added = await service.from("model_providers").insert({
    name: provider,
    base_url,
    secret_name: "PLAYED_API_KEY",
  });
  if (added.error) throw added.error;
  try {
    await withModel({ provider, capabilities: ["images", "files", "tools"], ...columns }, run);
  } finally {
    await service.from("model_providers").delete().eq("name", provider);
    await server.shutdown();
  }
}

/** A last event after which the provider says nothing more, and stays. */
export const HANG = { choices: [] };

/** An event with text. */
export const say = (content: string) => ({ choices: [{ delta: { content } }] });

/** The last event of an answer. */
export const FINISH = { choices: [{ delta: {}, finish_reason: "stop" }] };

/** An event with usage. */
export const usage = (usage: unknown) => ({ choices: [], usage });
