/**
 * The clients of the benchmark `answers`.
 *
 * @module
 */

/** How many answers run at once. */
export const ANSWERS = Number(Deno.env.get("ANSWERS") ?? "200");

const WORDS = 40;
const PACE_MS = 100;

/** About how long the model speaks. */
export const LENGTH_MS = WORDS * PACE_MS;

/** How many answers each client asks for, one after another. The first is not measured: not all are running yet. */
const TURNS = 3;

/** What each client asks. */
export const MESSAGE = `Answer [words=${WORDS}] [pace=${PACE_MS}]`;

/** The first word of the played model. */
const FIRST_WORD = "This";

/** What clients have seen. */
export interface Measured {
  /** Milliseconds to the first word, of each measured answer. */
  first: number[];
  complete: number;
  asked: number;
  /** The time that each answer took, added up. */
  runningSeconds: number;
}

type Ask = (n: number) => Promise<Response>;

/** All ask in one instant. */
export async function askAtOnce(ask: Ask, end: string): Promise<Measured> {
  const measured = nothingYet();
  await Promise.all(
    Array.from({ length: ANSWERS }, (_, n) => askOnce(() => ask(n), end, measured, true)),
  );
  return measured;
}

/** One after another begins, over the length of an answer. Then each asks again when its answer has ended. */
export async function askInTurn(ask: Ask, end: string): Promise<Measured> {
  const measured = nothingYet();
  await Promise.all(Array.from({ length: ANSWERS }, async (_, n) => {
    await new Promise((resolve) => setTimeout(resolve, n * LENGTH_MS / ANSWERS));
    for (let turn = 0; turn < TURNS; turn++) {
      await askOnce(() => ask(n), end, measured, turn > 0);
    }
  }));
  return measured;
}

const nothingYet = (): Measured => ({ first: [], complete: 0, asked: 0, runningSeconds: 0 });

async function askOnce(
  ask: () => Promise<Response>,
  end: string,
  measured: Measured,
  timed: boolean,
): Promise<void> {
  const start = performance.now();
  const response = await ask();
  if (!response.ok || !response.body) {
    throw new Error(`${response.status} ${await response.text()}`);
  }
  let text = "";
  let said = false;
  for await (const part of response.body.pipeThrough(new TextDecoderStream())) {
    text += part;
    if (!said && text.includes(FIRST_WORD)) {
      said = true;
      if (timed) measured.first.push(performance.now() - start);
    }
  }
  measured.asked++;
  measured.runningSeconds += (performance.now() - start) / 1000;
  if (text.includes(end)) measured.complete++;
}
