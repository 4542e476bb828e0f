/**
 * What an answer must have left behind, whatever happened to it.
 *
 * @module
 */

import assert from "node:assert/strict";

import type pg from "pg";
import { estimateTokenCount } from "tokenx";

import type { TestUser } from "../_testing/testing.ts";
import { USAGE } from "./places_testing.ts";

/** Prices of the model in credits for a million tokens. */
export const PRICES = { input: 1000, cached: 100, output: 4000, reasoning: 6000 };

/** What the database has of one conversation, and of the account that pays. */
export interface Left {
  user_id: string;
  conversations: number;
  answers: Record<string, unknown>[];
  questions: string[];
  /** Its messages of the model. */
  drafts: { status: string; content: Part[]; metadata: { answer?: Record<string, unknown> } }[];
  entries: { amount: number; description: string }[];
  holds: number;
  parts: Piece[][];
  /** Tokens that were counted with the last part. */
  counted: number;
  balance: number;
  held: number;
  /** Credits of all answers of the user. */
  spent: number;
  problems: number;
}

interface Part {
  type: string;
  text?: string;
  input?: unknown;
  rawInput?: string;
}

interface Piece {
  text?: string;
}

/** Reads what is left of conversations: one for each user, by its client_id. */
export async function readLeft(
  client: pg.Client,
  users: TestUser[],
  name: string,
): Promise<Map<string, Left>> {
  const { rows } = await client.query(
    `
    select u.id as user_id, c.conversations, a.answers, m.questions, m.drafts, t.entries, h.holds, p.parts, p.counted,
      k.balance::float8, k.held::float8,
      (select coalesce(sum(x.credits), 0)::float8 from public.answers as x where x.user_id = u.id) as spent,
      (select count(*)::int from public.credit_reconciliation(k.id)) as problems
    from unnest($1::uuid[]) as u (id)
    join public.credit_accounts as k on k.user_id = u.id
    cross join lateral (select count(*)::int as conversations, (array_agg(x.id))[1] as id
      from public.conversations as x where x.user_id = u.id and x.client_id = $2) as c
    cross join lateral (select coalesce(json_agg(x order by x.created_at), '[]') as answers, array_agg(x.id) as ids,
      array_agg(x.hold_id) as holds from public.answers as x where x.conversation_id = c.id) as a
    cross join lateral (select
      coalesce(json_agg(x.content #>> '{0,text}') filter (where x.role = 'user'), '[]') as questions,
      coalesce(json_agg(x) filter (where x.role = 'assistant'), '[]') as drafts
      from public.messages as x where x.conversation_id = c.id) as m
    cross join lateral (select coalesce(json_agg(json_build_object('amount', x.amount, 'description', x.description)), '[]')
      as entries from private.credit_transactions as x where x.account_id = k.id and x.hold_id = any (a.holds)) as t
    cross join lateral (select count(*)::int as holds from private.credit_holds as x where x.account_id = k.id) as h
    cross join lateral (select coalesce(json_agg(x.pieces order by x.number), '[]') as parts,
      coalesce(max(x.output_tokens), 0)::int as counted
      from public.answer_parts as x where x.answer_id = any (a.ids)) as p`,
    [users.map(({ id }) => id), name],
  );
  return new Map(rows.map((row) => [row.user_id, row]));
}

/** What the parts that are stored say, one after the other. */
export function storedText({ parts }: Left): string {
  return parts.flat().map(({ text = "" }) => text).join("");
}

/** What a message says: its thoughts, its text and the input of its tool call, one after the other. */
export function textOf(content: Part[]): string {
  return content.map(({ text, input, rawInput }) =>
    text ?? rawInput ?? (input === undefined ? "" : JSON.stringify(input))
  ).join("");
}

/** What the test knows of an answer. */
export interface Known {
  /** All that the provider says if nobody disturbs it. */
  whole: string;
  /** What the client has received. */
  seen: string;
  /** The states that it may end in; `none` if it may not have begun. */
  states: string[];
  /** What was stored when its function was gone: exactly that is kept. */
  stored: { text: string; counted: number } | undefined;
  /** Credits of a new account. */
  granted: number;
  question: string;
  context: string;
}

/** Compares what is left with what must be. Returns the state of the answer. */
export function checkLeft(left: Left, known: Known): string {
  const context = `${known.context}\n${JSON.stringify({ left, known })}`;
  const [answer] = left.answers;
  const state = String(answer?.state ?? "none");
  assert.ok(known.states.includes(state), `${state} is none of ${known.states}: ${context}`);
  assert.deepEqual([left.holds, left.parts, left.held, left.problems], [0, [], 0, 0], context);
  assert.equal(round(left.balance), round(known.granted - left.spent), context);
  if (!answer) {
    // Nothing is there in part: not the question, not the conversation.
    assert.deepEqual([left.conversations, left.questions, left.drafts], [0, [], []], context);
    assert.equal(known.seen, "", context);
    return state;
  }
  assert.equal(left.answers.length, 1, context);
  assert.deepEqual(left.questions, [known.question], context);
  const charged = round(left.entries.reduce((sum, { amount }) => sum - amount, 0));
  assert.equal(round(Number(answer.credits)), charged, context);
  assert.equal(charged, priceOf(answer), context);
  assert.ok(left.entries.length <= 1 && left.drafts.length <= 1, context);

  const [message] = left.drafts;
  const said = textOf(message?.content ?? []);
  // No answer without its price, and no price without its text.
  assert.equal(charged > 0, said !== "", context);
  assert.equal(message !== undefined, said !== "", context);
  if (!message) return state;
  assert.equal(message.status, state === "complete" ? "complete" : "aborted", context);
  assert.equal(message.metadata.answer?.state, state, context);
  assert.equal(message.metadata.answer?.credits, charged, context);
  checkText(said, state, known, context);
  checkTokens(answer, said, known, context);
  return state;
}

function checkText(said: string, state: string, { whole, seen, stored }: Known, context: string) {
  if (state === "complete") assert.equal(said, whole, context);
  else if (state === "abandoned") assert.equal(said, stored?.text, context);
  else assert.ok(whole.startsWith(said), context);
  // The client may have seen what came in the last moment before a kill. Otherwise all that it saw is kept.
  const [longer, shorter] = state === "abandoned" && seen.length > said.length
    ? [seen, said]
    : [said, seen];
  assert.ok(longer.startsWith(shorter), context);
}

function checkTokens(
  answer: Record<string, unknown>,
  said: string,
  { states, stored }: Known,
  context: string,
) {
  const { input_tokens, cached_input_tokens, output_tokens, reasoning_tokens } = answer;
  if (answer.usage_source === "provider") {
    assert.deepEqual(
      [input_tokens, cached_input_tokens, output_tokens, reasoning_tokens],
      [USAGE.input, USAGE.cached, USAGE.output, USAGE.reasoning],
      context,
    );
    return;
  }
  // A provider that goes after its reason has left out nothing but its usage.
  assert.ok(answer.state !== "complete" || states.includes("failed"), context);
  if (answer.state === "abandoned") assert.equal(output_tokens, stored?.counted, context);
  // The server counts in pieces, each of which may be one more. What was counted is what is there, not what was lost.
  const tokens = estimateTokenCount(said);
  assert.ok(Number(output_tokens) >= tokens * 0.7, `${tokens} tokens: ${context}`);
  assert.ok(Number(output_tokens) <= tokens * 1.5 + 6, `${tokens} tokens: ${context}`);
}

function priceOf(answer: Record<string, unknown>): number {
  const number = (name: string) => Number(answer[`${name}_tokens`]);
  const reasoning = Math.min(number("reasoning"), number("output"));
  const price = (number("input") - number("cached_input")) * PRICES.input +
    number("cached_input") * PRICES.cached + (number("output") - reasoning) * PRICES.output +
    reasoning * PRICES.reasoning;
  return round(price / 1e6);
}

function round(credits: number): number {
  return Math.round(credits * 1e4) / 1e4;
}
