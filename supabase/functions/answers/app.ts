/**
 * Asks models: saves the question, streams the answer, saves it and charges for it.
 *
 * @module
 */

import type { Context } from "hono";

import { afterResponse } from "../_shared/after_response.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate, type AuthenticatedEnv, userId } from "../_shared/auth.ts";
import { MESSAGES_BODY_BYTES } from "../_shared/body_limit.ts";
import { Problem } from "../_shared/problem.ts";
import { readIdempotencyKey, readJson, readPath } from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import type { Answer, Begun, Ended, Reading } from "./begun.ts";
import { toProblem } from "./endings.ts";
import { awaitEnd, follow } from "./follow.ts";
import { countFileText, type FileReader, type GivenFiles, readFiles } from "./given_files.ts";
import { type StoredMessage, toChatMessages } from "./prompt.ts";
import {
  clientToolsOf,
  hasApprovals,
  needsOf,
  toArguments,
  toProvider,
  toStored,
} from "./request.ts";
import { Run } from "./run.ts";
import { findRunning } from "./running.ts";
import * as schema from "./schema.ts";
import { readAnswer } from "./shared_reading.ts";
import { parseEventId, STREAM_HEADERS } from "./sse.ts";
import { countExtra, estimateTokens } from "./tokens.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** How long a request waits until the answer that it stops has ended, in milliseconds. */
const STOPPING_MS = 5_000;

/** How long a request without a stream waits for an answer that another one began, in milliseconds. */
const LONGEST_MS = 140_000;

/** The routes of `answers`; `openapi.ts` describes them. */
export const app = createApp("answers", openapi, {
  maxBodyBytes: MESSAGES_BODY_BYTES,
  acceptsContent: true,
});

const asUser = () => authenticate("user", "answers:write");

app.post("/", asUser(), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const request = await readJson(c, schema.Request);
  const user_id = userId(c.var.supabaseContext);
  const supabase = readerOf(c);
  const asked = toArguments(request);
  if (!supabase && (asked.server_tools || hasApprovals(asked.message ?? {}))) {
    throw new Problem(403, "session_required", "An API key cannot use the tools of the server", {
      hint:
        "Sign in and send the session token, or leave out server_tools and responses to approvals",
    });
  }
  const files: GivenFiles = asked.message
    ? await readFiles(supabase, [asked.message as unknown as StoredMessage])
    : new Map();
  const extra_tokens = (asked.extra_tokens ?? 0) + countFileText(files);
  const args = defined({ ...asked, extra_tokens, user_id, idempotency_key });
  const begun = await call(() => supabaseAdmin.rpc("begin_answer", args)) as unknown as Begun;
  if (begun.replayed) return replay(c, user_id, begun.answer);
  return respond(
    c,
    new Run({
      begun,
      userId: user_id,
      supabase,
      files,
      parameters: toProvider(request.parameters),
      clientTools: clientToolsOf(request.parameters ?? {}),
      serverTools: request.parameters?.server_tools,
    }),
  );
});

app.post("/ephemeral", asUser(), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { messages: given, model, parameters = {} } = await readJson(c, schema.EphemeralRequest);
  const user_id = userId(c.var.supabaseContext);
  const supabase = readerOf(c);
  const stored = toStored(given);
  const files = await readFiles(supabase, stored);
  const messages = toChatMessages(null, stored, files);
  const args = defined({
    user_id,
    input_tokens: estimateTokens(messages) + countExtra(parameters),
    model,
    max_output_tokens: parameters.max_output_tokens,
    needs: needsOf(parameters, stored),
  });
  const begun = await call(() =>
    supabaseAdmin.rpc("begin_ephemeral_answer", args)
  ) as unknown as Begun;
  return respond(
    c,
    new Run({
      begun,
      userId: user_id,
      supabase,
      files,
      parameters: toProvider(parameters),
      messages,
    }),
  );
});

app.get("/:id/stream", asUser(), async (c) => {
  const { id } = readPath(c, schema.Path);
  const user_id = userId(c.var.supabaseContext);
  const last = parseEventId(c.req.header("last-event-id") ?? "");
  const reading = await readAnswer(user_id, last?.answerId ?? id);
  const { answer } = reading;
  // By the id of its conversation, an answer that has ended is not asked for: the app has its message.
  const isAsked = answer?.state === "running" || last !== undefined || answer?.id === id;
  if (!answer || answer.ephemeral || !isAsked) return c.body(null, 204);
  return stream(c, follow({ userId: user_id, reading: { ...reading, answer }, ...last }));
});

app.post("/:id/stop", asUser(), async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id } = readPath(c, schema.Path);
  const user_id = userId(c.var.supabaseContext);
  const stopping = await call(() =>
    supabaseAdmin.rpc("stop_answer", { user_id, id })
  ) as unknown as Ended;
  if (stopping.answer.state !== "running") return c.json(stopping);
  findRunning(stopping.answer.id)?.end("stopped");
  const ended = await awaitEnd(user_id, stopping.answer.id, STOPPING_MS) ??
    await call(() => supabaseAdmin.rpc("stop_answer", { user_id, id: stopping.answer.id }));
  return c.json(ended);
});

/** Acts with the rights of the user. An API key belongs to a user, but Storage and the Data API do not know it. */
function readerOf(c: Context<AuthenticatedEnv>): FileReader {
  const { jwtClaims, supabase } = c.var.supabaseContext;
  return jwtClaims ? supabase : null;
}

/** Responds with the stream of an answer or, if the caller prefers, with the whole of it. */
async function respond(c: Context<AuthenticatedEnv>, run: Run): Promise<Response> {
  // Whatever becomes of the client, the answer is settled.
  afterResponse(run.done);
  if (!prefersJson(c)) return stream(c, run.stream());
  const ended = await run.done;
  if (!ended) throw toProblem({ error: "server_error" });
  return whole(c, ended, run.text);
}

/** Responds with the answer that an earlier request has begun. */
async function replay(c: Context<AuthenticatedEnv>, user_id: string, answer: Answer) {
  c.header("idempotent-replayed", "true");
  if (prefersJson(c)) {
    const ended = await awaitEnd(user_id, answer.id, LONGEST_MS) ??
      await call(() =>
        c.var.supabaseContext.supabaseAdmin.rpc("stop_answer", { user_id, id: answer.id })
      );
    return whole(c, ended as unknown as Ended);
  }
  const reading: Reading = await readAnswer(user_id, answer.id);
  return stream(
    c,
    follow({ userId: user_id, reading: { ...reading, answer: reading.answer ?? answer } }),
  );
}

function whole(c: Context, { answer, message, entry }: Ended, text?: string): Response {
  if (answer.state === "failed" && !message) throw toProblem(answer);
  return c.json({ answer, message, entry, ...answer.ephemeral && { text } });
}

function stream(c: Context, body: ReadableStream<Uint8Array>): Response {
  return c.body(body as ReadableStream<Uint8Array<ArrayBuffer>>, 200, STREAM_HEADERS);
}

/** The AI SDK names no type. */
function prefersJson(c: Context): boolean {
  return /^application\/json\b/.test(c.req.header("accept") ?? "");
}
