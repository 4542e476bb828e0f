/**
 * A provider that a test holds at any line of its stream, and that can vanish in the middle.
 *
 * @module
 */

import type { Buffer } from "node:buffer";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A line of the stream, and what it says of the answer. */
export interface Line {
  data: unknown;
  said: string;
}

/** What a provider says to one question. */
export class Play {
  readonly lines: Line[];
  /** How many lines it has sent. */
  sent = 0;
  /** Milliseconds between two lines. */
  pace = 0;
  #hold: number | undefined;
  #gone = false;
  #isHeld = false;
  #changed = Promise.withResolvers<void>();
  readonly #responses = new Set<ServerResponse>();

  /**
   * @param lines What it says.
   * @param hold After how many lines it waits; -1: before it responds. Default: never.
   */
  constructor(lines: Line[], hold?: number) {
    this.lines = lines;
    this.#hold = hold;
  }

  /** Whether it waits. */
  get isHeld(): boolean {
    return this.#isHeld;
  }

  /** What it has said. */
  get said(): string {
    return saidBy(this.lines.slice(0, this.sent));
  }

  /** Lets it go on, to another line or to the end. */
  release(hold?: number): void {
    this.#hold = hold;
    this.#isHeld = false;
    this.#wake();
  }

  /** Breaks its connections; it answers no more. */
  vanish(): void {
    this.#gone = true;
    for (const response of this.#responses) response.socket?.destroy();
    this.#wake();
  }

  /** Speaks to a request. */
  async speak(response: ServerResponse): Promise<void> {
    this.#responses.add(response);
    response.on("close", () => this.#wake());
    if (!await this.#mayPass(response, -1)) return;
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.flushHeaders();
    for (const [index, { data }] of this.lines.entries()) {
      if (!await this.#mayPass(response, index)) return;
      if (this.pace > 0) await new Promise((resolve) => setTimeout(resolve, this.pace));
      response.write(`data: ${typeof data === "string" ? data : JSON.stringify(data)}\n\n`);
      this.sent = index + 1;
    }
    response.end();
  }

  /** Waits while it is held before a line. Returns whether somebody still listens. */
  async #mayPass(response: ServerResponse, line: number): Promise<boolean> {
    while (!this.#gone && !response.closed && this.#hold !== undefined && line >= this.#hold) {
      this.#isHeld = true;
      await this.#changed.promise;
    }
    if (this.#gone) response.socket?.destroy();
    return !this.#gone && !response.closed;
  }

  #wake(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** What the lines say, one after the other. */
export function saidBy(lines: Line[]): string {
  return lines.map(({ said }) => said).join("");
}

/**
 * Runs a test with such a provider.
 *
 * @param run Receives its base URL, and the plays by the word of the question that names them: `play-...`.
 */
export async function withScriptedProvider(
  run: (url: string, plays: Map<string, Play>) => Promise<void>,
): Promise<void> {
  const plays = new Map<string, Play>();
  const server = createServer(async (request, response) => {
    const body = await readAll(request).catch(() => undefined);
    // The function was killed while it asked.
    if (body === undefined) return response.destroy();
    const { messages } = JSON.parse(body);
    const [name = ""] = JSON.stringify(messages.at(-1)).match(/play-[\w.-]+/) ?? [];
    const play = plays.get(name);
    if (play) return void play.speak(response);
    response.writeHead(400).end();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    await run(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`, plays);
  } finally {
    for (const play of plays.values()) play.vanish();
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  }
}

async function readAll(request: IncomingMessage): Promise<string> {
  let text = "";
  request.setEncoding("utf8");
  for await (const chunk of request as AsyncIterable<string | Buffer>) text += chunk;
  return text;
}
