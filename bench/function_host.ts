/**
 * The process whose CPU time `function_cpu.ts` measures. It serves an edge function, or the least that makes the same
 * call, and tells its CPU time at a port of its own.
 *
 * @module
 */

import process from "node:process";

import { createClient } from "@supabase/supabase-js";

type Handler = (request: Request) => Response | Promise<Response>;

const [name = ""] = Deno.args;

/** Parses a body, makes one call with one client, and answers. It checks nothing and logs nothing. */
function bare(): Handler {
  const { default: key = "" } = JSON.parse(Deno.env.get("SUPABASE_SECRET_KEYS") ?? "{}");
  const client = createClient(Deno.env.get("SUPABASE_URL") ?? "", key, {
    auth: { persistSession: false, autoRefreshToken: false },
  });
  return async (request) => {
    const { data, error } = await client.rpc("deduct_credits", await request.json());
    return Response.json(error ?? data, { status: error ? 500 : 200 });
  };
}

async function edgeFunction(): Promise<Handler> {
  const { default: { fetch } } = await import(`../supabase/functions/${name}/index.ts`);
  return (request) => fetch(request);
}

function serve(handler: Handler): number {
  return Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, handler).addr.port;
}

const port = serve(name === "bare" ? bare() : await edgeFunction());
const meter = serve(() => Response.json(process.cpuUsage()));
console.log(JSON.stringify({ port, meter }));
