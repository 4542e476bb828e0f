/**
 * A network that loses requests, loses answers and delivers requests twice.
 *
 * @module
 */

/** Returns a generator of random numbers from 0 to 1 that depend on a seed alone (mulberry32). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** How often each fault has happened. */
export interface Faults {
  lostRequests: number;
  lostAnswers: number;
  busy: number;
  sentTwice: number;
  deliveredLate: number;
}

/** The probability of each fault. */
const SHARES: Record<keyof Faults, number> = {
  lostRequests: 0.07,
  lostAnswers: 0.07,
  busy: 0.03,
  sentTwice: 0.05,
  deliveredLate: 0.03,
};

/** The longest delay of a second delivery, in milliseconds. */
const LATEST_MS = 300;

/** A network between one device and the server. */
export class FaultyNetwork {
  /** Whether faults happen. */
  faulty = false;
  readonly faults: Faults = {
    lostRequests: 0,
    lostAnswers: 0,
    busy: 0,
    sentTwice: 0,
    deliveredLate: 0,
  };
  readonly #random: () => number;
  #onTheirWay = new Set<Promise<unknown>>();

  /** @param random decides which faults happen */
  constructor(random: () => number) {
    this.#random = random;
  }

  /** A `fetch` for supabase-js. */
  readonly fetch = async (input: RequestInfo | URL, init?: RequestInit): Promise<Response> => {
    const { signal: _, ...rest } = init ?? {};
    const request = new Request(input, rest);
    const fault = this.#fault();
    if (fault) this.faults[fault]++;
    switch (fault) {
      case "lostRequests":
        throw new TypeError("The request was lost");
      case "lostAnswers":
        await whole(request);
        throw new TypeError("The answer was lost");
      case "busy":
        return Response.json({ code: "try_again", detail: "Busy" }, { status: 503 });
      case "sentTwice": {
        const answers = await Promise.all([whole(request.clone()), whole(request)]);
        return answers[this.#random() < 0.5 ? 0 : 1];
      }
      case "deliveredLate":
        this.#deliverLate(request.clone());
    }
    return await whole(request);
  };

  /** Waits for late deliveries. */
  async settled(): Promise<void> {
    await Promise.all(this.#onTheirWay);
  }

  #fault(): keyof Faults | undefined {
    if (!this.faulty) return undefined;
    let left = this.#random();
    return (Object.keys(SHARES) as (keyof Faults)[]).find((name) => (left -= SHARES[name]) < 0);
  }

  #deliverLate(request: Request): void {
    const delivered = new Promise((resolve) => setTimeout(resolve, this.#random() * LATEST_MS))
      .then(() => whole(request))
      .finally(() => this.#onTheirWay.delete(delivered));
    this.#onTheirWay.add(delivered);
  }
}

/** Fetches an answer with its whole body, so that it needs no connection afterwards. */
async function whole(request: Request): Promise<Response> {
  const response = await fetch(request);
  const { status, headers } = response;
  const body = await response.arrayBuffer();
  return new Response(status === 204 ? null : body, { status, headers });
}
