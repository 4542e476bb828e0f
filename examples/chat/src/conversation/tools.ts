/** The tools that the model may call. They run in the browser. */

/** How the model is told about them. */
export const TOOLS = [{
  name: "local_time",
  description: "The date and time where the user is, and the time zone",
  parameters: { type: "object", properties: {} },
}];

/** What the user sees of them. */
export const TOOL_NAMES: Record<string, string> = { local_time: "Looked at your clock" };

const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

/** Runs a tool; returns its output. */
export function runTool(name: string): unknown {
  if (name !== "local_time") return { error: "There is no such tool" };
  return { now: clock.format(new Date()), time_zone: clock.resolvedOptions().timeZone };
}
