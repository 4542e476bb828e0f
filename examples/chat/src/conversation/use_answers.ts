/** The messages of a conversation, and asking the model: everything that knows how answers are made. */

import { useChat } from "@ai-sdk/react";
import { DefaultChatTransport, type UIMessage } from "ai";
import { useCallback, useEffect, useRef, useState } from "react";

import { publishableKey, supabase, url } from "../backend";
import { useChanges } from "../changes";

const API = `${url}/functions/v1/answers`;

async function headers(): Promise<Record<string, string>> {
  const { data } = await supabase.auth.getSession();
  return { apikey: publishableKey, authorization: `Bearer ${data.session?.access_token}` };
}

const transport = new DefaultChatTransport<UIMessage>({ api: API, headers });

/** An error of the server: a problem document. */
export interface AnswerProblem extends Error {
  code?: string;
  hint?: string;
  required?: number;
  available?: number;
}

export interface Answers {
  /** Undefined until the messages were read. */
  messages: UIMessage[] | undefined;
  /** Whether an answer is being written. */
  answering: boolean;
  problem: AnswerProblem | undefined;
  /** Asks. If the server refuses, returns false, and the conversation is as before. */
  ask(text: string): Promise<boolean>;
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
  const { messages, setMessages, sendMessage, status, stop, resumeStream, clearError } = useChat({
    id,
    transport,
    onError(error) {
      refused.current = true;
      setProblem(toProblem(error));
    },
  });
  const idle = status === "ready" || status === "error";
  const isIdle = useRef(idle);
  isIdle.current = idle;

  const reload = useCallback(async () => {
    const read = await readMessages(id);
    // An answer that this page receives is newer than what was read.
    if (!isIdle.current) return;
    setLoaded(true);
    if (read instanceof Error) return setProblem(read);
    setProblem(undefined);
    setMessages(read.messages);
    if (read.isRunning) resumeStream();
  }, [id, setMessages, resumeStream]);

  // Also what other tabs and devices ask.
  const { listen } = useChanges();
  useEffect(() => {
    reload();
    return listen("messages", () => isIdle.current && reload());
  }, [reload, listen]);

  return {
    messages: loaded || messages.length > 0 ? messages : undefined,
    answering: !idle,
    problem,
    async ask(text) {
      refused.current = false;
      setProblem(undefined);
      clearError();
      await sendMessage({ text });
      if (!refused.current) return true;
      const read = await readMessages(id);
      if (read instanceof Error) setMessages((all) => all.slice(0, -1));
      else setMessages(read.messages);
      // The question may have been saved although its answer failed.
      return !(read instanceof Error) && read.messages.some((message) => textOf(message) === text);
    },
    async stop() {
      await fetch(`${API}/${id}/stop`, { method: "POST", headers: await headers() }).catch(
        () => {},
      );
      await stop();
    },
    reload,
  };
}

/** The text of a message. */
export function textOf({ parts }: UIMessage): string {
  return parts.map((part) => part.type === "text" ? part.text : "").join("");
}

async function readMessages(
  id: string,
): Promise<{ messages: UIMessage[]; isRunning: boolean } | Error> {
  const { data, error } = await supabase.from("messages")
    .select("id, client_id, role, content, status").eq("conversation_id", id).order("created_at");
  if (error) return new Error(error.message);
  const isRunning = data.at(-1)?.status === "streaming";
  const messages = data.filter(({ status }) => status !== "streaming")
    .map(({ id, client_id, role, content }) => ({
      id: client_id ?? id,
      role: role as UIMessage["role"],
      parts: Array.isArray(content)
        ? content as UIMessage["parts"]
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
