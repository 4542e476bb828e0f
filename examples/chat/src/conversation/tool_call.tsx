import { type DynamicToolUIPart, getToolName, type ToolUIPart } from "ai";

import { ClockIcon } from "../ui/icons";
import { questionOf, TOOL_NAMES } from "./tools";

/** What an answer does besides writing: a call of a tool. If the user must allow it, it is a question. */
export function ToolCall(
  { part, respond }: {
    part: ToolUIPart | DynamicToolUIPart;
    respond?: (approvalId: string, approved: boolean) => void;
  },
) {
  const name = getToolName(part);
  if (part.state === "approval-requested") {
    const { id } = part.approval;
    return (
      <div className="question" role="group" aria-label="Permission">
        <p>{questionOf(name, part.input)}</p>
        {respond && (
          <>
            <button className="button" onClick={() => respond(id, true)}>Allow</button>
            <button className="quiet" onClick={() => respond(id, false)}>Do not allow</button>
          </>
        )}
      </div>
    );
  }
  return (
    <p className="tool" data-testid="tool">
      <ClockIcon /> {part.state === "output-denied" ? "Not allowed" : TOOL_NAMES[name] ?? name}
    </p>
  );
}
