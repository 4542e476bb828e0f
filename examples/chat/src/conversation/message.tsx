import { isToolUIPart } from "ai";
import { useEffect, useState } from "react";
import Markdown from "react-markdown";

import { AgainIcon, CheckIcon, CopyIcon } from "../ui/icons";
import { ToolCall } from "./tool_call";
import { type ChatMessage, textOf } from "./use_answers";

const number = new Intl.NumberFormat(undefined, { maximumFractionDigits: 2 });

/** How long it is said that the text was copied, in milliseconds. */
const COPIED_MS = 2_000;

/** A message; beneath the last answer, what can be done with it. */
export function Message(
  { message, again, respond }: {
    message: ChatMessage;
    again?: () => void;
    respond?: (approvalId: string, approved: boolean) => void;
  },
) {
  const { parts, role, metadata } = message;
  const text = textOf(message);
  const tools = parts.filter(isToolUIPart);
  if (!text && tools.length === 0) return null;
  // A call of a tool may end an answer that is paid for, and a message has the credits of its last answer only.
  const credits = tools.length === 0 ? metadata?.answer?.credits : undefined;
  return (
    <article className={`message ${role}`} data-role={role}>
      {parts.map((part, index) =>
        isToolUIPart(part)
          ? <ToolCall key={index} part={part} {...respond && { respond }} />
          : part.type === "text"
          ? role === "assistant"
            ? (
              <div key={index} className="prose">
                <Markdown>{part.text}</Markdown>
              </div>
            )
            : <p key={index}>{part.text}</p>
          : null
      )}
      {again && (
        <footer>
          <Copy text={text} />
          <button className="icon" aria-label="Ask again" title="Ask again" onClick={again}>
            <AgainIcon />
          </button>
          {credits !== undefined && (
            <span className="hint" data-testid="cost">{number.format(credits)} credits</span>
          )}
        </footer>
      )}
    </article>
  );
}

function Copy({ text }: { text: string }) {
  const [copied, setCopied] = useState(false);
  useEffect(() => {
    if (!copied) return;
    const timer = setTimeout(() => setCopied(false), COPIED_MS);
    return () => clearTimeout(timer);
  }, [copied]);
  const label = copied ? "Copied" : "Copy";
  const copy = () => navigator.clipboard.writeText(text).then(() => setCopied(true), () => {});
  return (
    <button className="icon" aria-label={label} title={label} onClick={copy}>
      {copied ? <CheckIcon /> : <CopyIcon />}
    </button>
  );
}
