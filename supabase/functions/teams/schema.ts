/**
 * The requests of `teams`.
 *
 * @module
 */

import * as z from "zod/mini";

import { id } from "../_shared/schema.ts";

/** The path of a team. */
export const TeamPath = z.strictObject({ id });

/** The path of an invitation. */
export const InvitationPath = z.strictObject({ id });

const email = z.optional(z.string().check(z.minLength(3), z.maxLength(254)));

const team = { name: z.string().check(z.minLength(1), z.maxLength(200)), email };

/** `POST /teams` from a signed-in user. */
export const UserTeam = z.strictObject(team);

/** `POST /teams` from a service for a user. */
export const ServiceTeam = z.strictObject({ ...team, user_id: id });

const invitation = {
  role: z.enum(["owner", "admin", "member"]),
  invitee_id: z.optional(id),
  email,
};

/** `POST /teams/:id/invitations` from a signed-in user. */
export const UserInvitation = z.strictObject(invitation);

/** `POST /teams/:id/invitations` from a service for a user. */
export const ServiceInvitation = z.strictObject({ ...invitation, user_id: id });

/** A body or a query that says nothing, from a signed-in user. */
export const UserNothing = z.strictObject({});

/** The same from a service for a user. */
export const ServiceNothing = z.strictObject({ user_id: id });

const delete_projects = z.optional(z.enum(["true", "false"]));

/** `DELETE /teams/:id` from a signed-in user. */
export const UserDelete = z.strictObject({ delete_projects });

/** `DELETE /teams/:id` from a service for a user. */
export const ServiceDelete = z.strictObject({ delete_projects, user_id: id });
