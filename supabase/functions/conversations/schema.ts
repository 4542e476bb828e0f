/**
 * The requests of `conversations`, except those about messages.
 *
 * @module
 */

import * as z from "zod/mini";

import { UserMessage } from "../_messages/schema.ts";
import { clientId, id } from "../_shared/schema.ts";

const conversation = {
  id: z.optional(clientId),
  title: z.optional(z.string().check(z.minLength(1), z.maxLength(200))),
  message: UserMessage,
};

/** `POST /conversations` from a signed-in user. */
export const UserConversation = z.strictObject(conversation);

/** `POST /conversations` from a service for a user. */
export const ServiceConversation = z.strictObject({ ...conversation, user_id: id });
