/**
 * A server that lies: it stands before an honest stack and changes the answers.
 *
 * @module
 */

// deno-lint-ignore no-explicit-any -- an answer may be anything
export type Json = any;

/** Changes an answer; returns what is answered instead, or a whole response. `undefined` leaves it as it is. */
export type Lie = (answer: Json, request: { method: string; path: string }) => Json;

/** Answers a request that the honest stack never receives. `undefined` lets it pass. */
export type Swallow = (request: Request, path: string) => Promise<Json | undefined>;

/** A server whose answers pass through a lie, while there is one. */
export class LyingServer {
  lie: Lie | undefined;
  swallow: Swallow | undefined;
  /** How often the lie has changed an answer. */
  told = 0;
  /** The status of what is answered instead. */
  status = 200;

  /** A `fetch` for supabase-js. */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const request = new Request(input, init);
    const { method, url } = request;
    const path = /\/(?:functions|rest)\/v1\/(.*)$/.exec(url)?.[1];
    const instead = path === undefined ? undefined : await this.swallow?.(request.clone(), path);
    if (instead !== undefined) {
      this.told++;
      return Response.json(instead);
    }
    const response = await fetch(request);
    if (!this.lie || path === undefined) return response;
    const text = await response.text();
    const { status, headers } = response;
    const lie = await this.lie(JSON.parse(text), { method, path });
    if (lie === undefined) return new Response(text, { status, headers });
    this.told++;
    if (lie instanceof Response) return lie;
    return Response.json(lie, { status: this.status });
  };

  /** Tells a lie while something runs, and returns how that ended. The lie must have been told. */
  async telling(lie: Lie, run: () => Promise<unknown>): Promise<unknown> {
    const { told } = this;
    this.lie = lie;
    const ended = await run().catch((error: unknown) => error);
    this.lie = undefined;
    if (this.told === told) throw new Error("The lie was not told");
    return ended;
  }
}
