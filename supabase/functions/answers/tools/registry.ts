/**
 * The tools that the server runs. To add one, write a module like `search_messages.ts`, and name it here.
 *
 * @module
 */

import * as z from "zod/mini";

import { renameConversation } from "./rename_conversation.ts";
import { searchMessages } from "./search_messages.ts";
import type { ServerTool } from "./server_tool.ts";

/** All tools of the server. A request names those that the model is offered: `parameters.server_tools`. */
export const SERVER_TOOLS: readonly ServerTool[] = [
  searchMessages,
  renameConversation,
];

/**
 * Finds a tool of the server.
 *
 * @param name Its name.
 * @param tools Where to look. Default: all.
 */
export function findTool(name: string, tools = SERVER_TOOLS): ServerTool | undefined {
  return tools.find((tool) => tool.name === name);
}

/**
 * Describes a tool as a model is told about it.
 *
 * @param tool The tool.
 */
export function describeTool({ name, description, input }: ServerTool): Record<string, unknown> {
  const { $schema: _, ...parameters } = z.toJSONSchema(input, { io: "input" });
  return { type: "function", function: { name, description, parameters } };
}
