/**
 * The process that runs the Edge Functions like the platform's runtime: it imports each function from its
 * `index.ts` on the first request, and passes requests to the default export. Started by `functions.ts` with the folder
 * of the functions as argument. Works in any Deno from 2.1 on and imports only what Deno includes.
 *
 * @module
 */

import { pathToFileURL } from "node:url";

const [folder = ""] = Deno.args;

/** The default export of an Edge Function. */
interface EdgeFunction {
  fetch(request: Request): Response | Promise<Response>;
}

const loaded = new Map<string, Promise<EdgeFunction>>();

function load(name: string): Promise<EdgeFunction> {
  let loading = loaded.get(name);
  if (!loading) {
    loading = import(pathToFileURL(`${folder}/${name}/index.ts`).href).then(
      ({ default: exported }) => {
        if (typeof exported?.fetch === "function") return exported;
        throw new TypeError(
          `functions/${name}/index.ts has no default export with a fetch function`,
        );
      },
    );
    loaded.set(name, loading);
  }
  return loading;
}

Deno.serve({
  hostname: "127.0.0.1",
  port: 0,
  // The first line of output, and the only one that is not from a function.
  onListen: ({ port }) => console.log(JSON.stringify({ listening: port })),
}, async (request) => {
  const name = new URL(request.url).pathname.split("/")[1] ?? "";
  let edgeFunction: EdgeFunction;
  try {
    edgeFunction = await load(name);
  } catch (error) {
    console.error(error);
    return Response.json(
      { code: "BOOT_ERROR", message: "Worker failed to boot (please check logs)" },
      { status: 503, headers: { "access-control-allow-origin": "*" } },
    );
  }
  return await edgeFunction.fetch(request);
});

// A function that calls this would listen on its own port and bypass the gateway.
Deno.serve = () => {
  throw new TypeError("Deno.serve is not supported: use export default { fetch } instead");
};

// Ends with the process that started it, because its end of the pipe then closes.
for await (const _ of Deno.stdin.readable) { /* nothing is sent */ }
Deno.exit(0);
