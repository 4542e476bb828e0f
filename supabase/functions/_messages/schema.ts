/**
 * The requests of the message routes of projects and conversations. Only the names of members are checked here: SQL
 * checks their values and names the position in the batch and a code for each fault.
 *
 * @module
 */

import * as z from "zod/mini";

import type { Json } from "../_shared/database.types.ts";
import { clientId, id, json, list } from "../_shared/schema.ts";

/** The members of a message. */
export const message = {
  id: z.optional(json),
  role: z.optional(json),
  content: z.optional(json),
  object_data: z.optional(json),
  result_data: z.optional(json),
  metadata: z.optional(json),
  sequence_number: z.optional(json),
  status: z.optional(json),
};

/** The most items of one charge. */
const MOST_ITEMS = 100;

/** How a message is paid for. SQL checks the amounts. */
const settle = z.optional(z.strictObject({
  hold_id: id,
  amount: z.optional(z.number()),
  items: z.optional(list(z.strictObject({ sku: z.string(), quantity: z.number() }), MOST_ITEMS)),
  allow_overage: z.optional(z.boolean()),
}));

/** One message, from a signed-in user. */
export const UserMessage = z.strictObject(message);

/** One message, from a service for a user. */
export const ServiceMessage = z.strictObject({ ...message, user_id: id, settle });

/** The highest value of the setting `messages.batch_size`. */
const MOST_MESSAGES = 1000;

/** What a batch consists of. SQL refuses anything but a message, and names its position. */
const messages = list(z.union([z.looseObject(message), json]), MOST_MESSAGES) as z.ZodMiniType<
  Json[]
>;

/** Several messages, from a signed-in user. */
export const UserBatch = z.strictObject({ messages });

/** Several messages, from a service for a user. */
export const ServiceBatch = z.strictObject({ messages, user_id: id });

/** The new content of a draft, from a signed-in user. */
export const UserDraft = z.strictObject({ content: message.content });

/** The new content of a draft, from a service for a user. */
export const ServiceDraft = z.strictObject({ content: message.content, user_id: id });

const { status: _status, sequence_number: _number, ...replacement } = message;

/** What a saved message is to be, from a signed-in user. */
export const UserReplacement = z.strictObject(replacement);

/** What a saved message is to be, from a service for a user. */
export const ServiceReplacement = z.strictObject({ ...replacement, user_id: id });

const ending = {
  content: message.content,
  object_data: message.object_data,
  result_data: message.result_data,
};

/** Finishing or aborting a draft, from a signed-in user. */
export const UserEnding = z.strictObject(ending);

/** Finishing or aborting a draft, from a service for a user. */
export const ServiceEnding = z.strictObject({ ...ending, user_id: id, settle });

/** The path parameters of all messages of a parent, and of one of them, by the column that refers to the parent. */
export const paths = {
  project_id: {
    parent: z.strictObject({ id }),
    message: z.strictObject({ id, message_id: clientId }),
  },
  conversation_id: {
    parent: z.strictObject({ id: clientId }),
    message: z.strictObject({ id: clientId, message_id: clientId }),
  },
};
