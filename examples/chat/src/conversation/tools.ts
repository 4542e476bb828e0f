/** The tools that the model may call: one runs in the browser, the others on the server. */

/** How the model is told about those of the browser. */
export const TOOLS = [{
  name: "local_time",
  description: "The date and time where the user is, and the time zone",
  parameters: { type: "object", properties: {} },
}];

/** The names of those of the server, which knows the rest. */
export const SERVER_TOOLS = ["search_messages", "rename_conversation"];

/** What the user sees of them. */
export const TOOL_NAMES: Record<string, string> = {
  local_time: "Looked at your clock",
  search_messages: "Searched your conversations",
  rename_conversation: "Renamed this conversation",
};

/** What the user is asked before a tool is run. */
export function questionOf(name: string, input: unknown): string {
  const { title } = (input ?? {}) as { title?: unknown };
  return name === "rename_conversation"
    ? `May this conversation be called “${title}”?`
    : `May the tool ${name} be run?`;
}

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** Runs a tool of the browser; returns its output. */
export function runTool(name: string): unknown {
  if (name !== "local_time") return { error: "There is no such tool" };
  return { now: clock.format(new Date()), time_zone: clock.resolvedOptions().timeZone };
}
