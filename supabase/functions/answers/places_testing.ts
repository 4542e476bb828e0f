/**
 * The places in the life of an answer at which a test lets something happen, and what the provider says there.
 *
 * @module
 */

import { type Line, Play } from "./scripted_provider_testing.ts";

/** Draws a number below another. */
export type Random = (below: number) => number;

/** Numbers that look random and depend on the seed only (mulberry32). */
export function randomNumbers(seed: number): Random {
  return (below) => {
    seed = (seed + 0x6d2b79f5) | 0;
    let x = Math.imul(seed ^ seed >>> 15, 1 | seed);
    x = x + Math.imul(x ^ x >>> 7, 61 | x) ^ x;
    return Math.floor(((x ^ x >>> 14) >>> 0) / 2 ** 32 * below);
  };
}

/** A place: a closed gate in the database, a line at which the provider waits, or both. */
export interface Place {
  name: string;
  /** A gate of the database, in a transaction that has not been committed. */
  gate?: string;
  /** Whether the answer has not begun there. */
  begins?: boolean;
  /** Whether the transaction that waits there also stores what all other answers say. */
  stores?: boolean;
  /** The line before which the provider waits. */
  at?: keyof Marks;
  /** Waits at `at` until the first part is stored, and then goes on to this line, or to the end. */
  then?: keyof Marks | "end";
}

/** The numbers of lines, from 0; -1 is before the response. */
export interface Marks {
  request: -1;
  response: 0;
  role: 1;
  thought: 2;
  word: number;
  middle: number;
  half: number;
  input: number;
  finish: number;
  usage: number;
  done: number;
}

/** The 20 places, in the order of an answer's life. */
export const PLACES: Place[] = [
  { name: "the question is saved, not committed", gate: "asked", begins: true },
  { name: "the credits are held, not committed", gate: "held", begins: true },
  { name: "the answer has begun, not committed", gate: "begun", begins: true },
  { name: "the provider has been asked", at: "request" },
  { name: "the provider has responded", at: "response" },
  { name: "the provider has begun a message", at: "role" },
  { name: "the model thinks", at: "thought" },
  { name: "the first word has come", at: "word" },
  { name: "half a character has come", at: "half" },
  { name: "the first part is stored, not committed", gate: "first", stores: true, at: "middle" },
  { name: "the first part is stored", at: "middle", then: "half" },
  {
    name: "another part is stored, not committed",
    gate: "later",
    stores: true,
    at: "middle",
    then: "half",
  },
  { name: "half a tool call has come", at: "input" },
  { name: "all has been said", at: "finish" },
  { name: "the reason of the end has come", at: "usage" },
  { name: "the usage has come", at: "done" },
  { name: "the answer is charged, not committed", gate: "charged" },
  { name: "the message is final, not committed", gate: "written" },
  { name: "the parts are deleted, not committed", gate: "cleared", at: "middle", then: "end" },
  { name: "the answer has ended, not committed", gate: "ended" },
];

/** What the provider reports of each answer. */
export const USAGE = { input: 57, cached: 21, output: 64, reasoning: 9 };

/** Writes what the provider says to one question, and finds the lines of the places. */
export function writeScript(random: Random): { lines: Line[]; marks: Marks } {
  const lines: Line[] = [];
  const add = (delta: unknown, said = "", finish_reason: string | null = null) =>
    lines.push({ data: { choices: [{ index: 0, delta, finish_reason }] }, said });
  add({ role: "assistant", content: "" });
  for (let n = 3 + random(3); n > 0; n--) {
    add({ reasoning_content: `thought ${n} ` }, `thought ${n} `);
  }
  const word = lines.length + 1;
  const count = 8 + random(16);
  const say = (content: string) => add({ content }, content);
  for (let n = 0; n < count; n++) say(`${n === 0 ? "" : " "}word${random(1000)}`);
  const middle = word + Math.floor(count / 2);
  say(" \ud83d");
  const half = lines.length;
  say("\ude80");
  for (let n = random(4); n > 0; n--) say(` after ${n}`);
  const call = (text: string, first = {}) =>
    add(
      { tool_calls: [{ index: 0, ...first, function: { name: "look_up", arguments: text } }] },
      text,
    );
  call("", { id: `call_${random(1e9)}`, type: "function" });
  const text = JSON.stringify({ city: "東京", days: random(1e6) });
  for (const piece of text.match(/.{1,5}/gsu) ?? []) call(piece);
  const finish = lines.length;
  add({}, "", "tool_calls");
  lines.push({
    data: {
      choices: [],
      usage: {
        prompt_tokens: USAGE.input,
        completion_tokens: USAGE.output,
        prompt_tokens_details: { cached_tokens: USAGE.cached },
        completion_tokens_details: { reasoning_tokens: USAGE.reasoning },
      },
    },
    said: "",
  });
  lines.push({ data: "[DONE]", said: "" });
  const marks: Marks = {
    request: -1,
    response: 0,
    role: 1,
    thought: 2,
    word,
    middle,
    half,
    input: finish - 3,
    finish,
    usage: finish + 1,
    done: finish + 2,
  };
  return { lines, marks };
}

/** A play that waits at a place; without a place, one that goes on at a pace of its own. */
export function playFor(place: Place | undefined, random: Random): { play: Play; marks: Marks } {
  const { lines, marks } = writeScript(random);
  const play = new Play(lines, place?.at && marks[place.at]);
  if (!place) play.pace = random(12);
  return { play, marks };
}
