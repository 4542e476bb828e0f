/** The messages of a conversation, and asking the model: everything that knows how answers are made. */

import { useChat } from "@ai-sdk/react";
import {
  DefaultChatTransport,
  isToolUIPart,
  lastAssistantMessageIsCompleteWithApprovalResponses,
  lastAssistantMessageIsCompleteWithToolCalls,
  type UIMessage,
} from "ai";
import { useCallback, useEffect, useRef, useState } from "react";

import { publishableKey, strongroom, supabase, url } from "../backend";
import { useChanges } from "../changes";
import { runTool, SERVER_TOOLS, TOOLS } from "./tools";

const API = `${url}/functions/v1/answers`;

async function headers(): Promise<Record<string, string>> {
  const { data } = await supabase.auth.getSession();
  return { apikey: publishableKey, authorization: `Bearer ${data.session?.access_token}` };
}

/** What an answer was made with. */
export interface AnswerFacts {
  answer?: { model: string; credits?: number };
}

export type ChatMessage = UIMessage<AnswerFacts>;

const transport = new DefaultChatTransport<ChatMessage>({
  api: API,
  headers,
  body: { parameters: { tools: TOOLS, server_tools: SERVER_TOOLS } },
});

/** An error of the server: a problem document. */
export interface AnswerProblem extends Error {
  code?: string;
  hint?: string;
  required?: number;
  available?: number;
}

export interface Answers {
  /** Undefined until the messages were read. */
  messages: ChatMessage[] | undefined;
  /** Whether an answer is being written. */
  answering: boolean;
  problem: AnswerProblem | undefined;
  /** Asks. If the server refuses, returns false, and the conversation is as before. */
  ask(text: string): Promise<boolean>;
  /** Replaces the last answer. */
  askAgain(): Promise<void>;
  /** Allows a call of a tool, or does not, and lets the answer go on. */
  respond(approvalId: string, approved: boolean): Promise<void>;
  stop(): Promise<void>;
  /** Reads the messages again. */
  reload(): void;
}

/**
 * A conversation with the model.
 *
 * @param id UUID of the conversation, which may be a new one.
 */
export function useAnswers(id: string): Answers {
  const [loaded, setLoaded] = useState(false);
  const [problem, setProblem] = useState<AnswerProblem>();
  const refused = useRef(false);
  /** Whether a question could not be sent: that is said until it is sent, also when the connection is back. */
  const unsent = useRef(false);
  /** Whether this page asked: other pages that follow the answer do not run its tools. */
  const asked = useRef(false);
  const chat = useChat<ChatMessage>({
    id,
    transport,
    sendAutomaticallyWhen: isAnswered,
    onToolCall({ toolCall: { toolName, toolCallId } }) {
      if (!asked.current) return;
      chat.addToolOutput({ tool: toolName, toolCallId, output: runTool(toolName) });
    },
    onError(error) {
      refused.current = true;
      setProblem(toProblem(error));
    },
  });
  const { messages, setMessages, sendMessage, regenerate, status, stop, resumeStream } = chat;
  const idle = status === "ready" || status === "error";
  const isIdle = useRef(idle);
  isIdle.current = idle;

  const reload = useCallback(async () => {
    const read = await readMessages(id);
    // An answer that this page receives is newer than what was read.
    if (!isIdle.current) return;
    setLoaded(true);
    if (read instanceof Error) return setProblem(read);
    if (!unsent.current) setProblem(undefined);
    setMessages(read.messages);
    if (!read.isRunning) return;
    asked.current = false;
    resumeStream();
  }, [id, setMessages, resumeStream]);

  // Also what other tabs and devices ask.
  const { listen } = useChanges();
  useEffect(() => {
    reload();
    return listen("messages", () => isIdle.current && reload());
  }, [reload, listen]);

  const begin = () => {
    refused.current = false;
    unsent.current = false;
    asked.current = true;
    setProblem(undefined);
    chat.clearError();
  };
  const restore = async () => {
    const read = await readMessages(id);
    if (read instanceof Error) return undefined;
    setMessages(read.messages);
    return read.messages;
  };
  return {
    messages: loaded || messages.length > 0 ? messages : undefined,
    answering: !idle,
    problem,
    async ask(text) {
      begin();
      await sendMessage({ text });
      if (!refused.current) return true;
      unsent.current = true;
      const restored = await restore();
      if (!restored) setMessages((all) => all.slice(0, -1));
      // The question may have been saved although its answer failed.
      unsent.current = !restored?.some((message) => textOf(message) === text);
      return !unsent.current;
    },
    async askAgain() {
      begin();
      await regenerate();
      if (refused.current) await restore();
    },
    async respond(id, approved) {
      begin();
      await chat.addToolApprovalResponse({ id, approved });
    },
    async stop() {
      await strongroom.answers.stop(id);
      await stop();
    },
    reload,
  };
}

/** Whether the last message has all that the answer was waiting for: the outputs of tools, and what the user allows. */
function isAnswered(chat: { messages: ChatMessage[] }): boolean {
  const isAsking = chat.messages.at(-1)?.parts.some((part) =>
    isToolUIPart(part) && part.state === "approval-requested"
  );
  return !isAsking && (lastAssistantMessageIsCompleteWithToolCalls(chat) ||
    lastAssistantMessageIsCompleteWithApprovalResponses(chat));
}

/** The text of a message. */
export function textOf({ parts }: ChatMessage): string {
  return parts.map((part) => part.type === "text" ? part.text : "").join("");
}

async function readMessages(
  id: string,
): Promise<{ messages: ChatMessage[]; isRunning: boolean } | Error> {
  const { data, error } = await supabase.from("messages")
    .select("id, client_id, role, content, metadata, status").eq("conversation_id", id)
    .order("created_at");
  if (error) return new Error(error.message);
  const isRunning = data.at(-1)?.status === "streaming";
  const messages = data.filter(({ status }) => status !== "streaming")
    .map(({ id, client_id, role, content, metadata }) => ({
      id: client_id ?? id,
      metadata: metadata as AnswerFacts,
      role: role as ChatMessage["role"],
      parts: Array.isArray(content)
        ? content as ChatMessage["parts"]
        : [{ type: "text" as const, text: String(content) }],
    }));
  return { messages, isRunning };
}

/** The AI SDK puts the body of a refusal into the message of its error. */
function toProblem(error: Error): AnswerProblem {
  try {
    const { detail, title, ...fields } = JSON.parse(error.message);
    return Object.assign(new Error(detail ?? title), fields);
  } catch {
    return error;
  }
}
