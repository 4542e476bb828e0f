/**
 * The routes of `teams` for its OpenAPI document.
 *
 * @module
 */

import * as z from "zod/mini";

import { describeFunction, type RouteDescription } from "../_openapi/document.ts";
import { id, time } from "../_shared/schema.ts";
import * as schema from "./schema.ts";

const role = z.enum(["owner", "admin", "member"]);

const Change = z.object({
  team: z.object({
    id,
    name: z.string(),
    tier: z.enum(["free", "pro", "enterprise"]),
    email: z.nullable(z.string()),
    stripe_customer_id: z.nullable(z.string()),
    stripe_subscription_id: z.nullable(z.string()),
    subscription_status: z.enum(["active", "canceled", "past_due", "unpaid", "incomplete"]),
    current_period_start: z.nullable(time),
    current_period_end: z.nullable(time),
    cancel_at_period_end: z.boolean(),
    cancel_at: z.nullable(time),
    stripe_status: z.nullable(z.string()),
    subscription_quantity: z.nullable(z.int()),
    trial_end: z.nullable(time),
    pause_collection: z.nullable(z.string()),
    pause_resumes_at: z.nullable(time),
    created_at: time,
    updated_at: time,
  }),
  credits: z.number(),
  projects: z.int(),
});
z.globalRegistry.add(Change, { id: "TeamChange" });

const Invitation = z.object({
  id,
  team_id: id,
  team_name: z.string(),
  invitee_id: z.nullable(id),
  email: z.nullable(z.string()),
  role,
  invited_by: id,
  status: z.enum(["pending", "accepted", "declined", "revoked"]),
  created_at: time,
  expires_at: time,
  answered_at: z.nullable(time),
});
z.globalRegistry.add(Invitation, { id: "Invitation" });

const Member = z.object({ id, team_id: id, user_id: id, role, created_at: time, updated_at: time });
z.globalRegistry.add(Member, { id: "Member" });

const nothing = z.union([schema.UserNothing, schema.ServiceNothing]);

const answering: Pick<RouteDescription, "method" | "auth" | "params" | "body"> = {
  method: "post",
  auth: ["user", "secret"],
  params: schema.InvitationPath,
  body: nothing,
};

/** The OpenAPI document of `teams`. */
export const document: unknown = describeFunction({
  name: "teams",
  summary:
    "Creates teams; invites users to them, who accept or decline; lets members leave; deletes teams.",
  routes: [
    {
      method: "post",
      path: "",
      summary: "Create a team",
      description: "The user becomes its owner.",
      auth: ["user", "secret"],
      idempotent: true,
      body: z.union([schema.UserTeam, schema.ServiceTeam]),
      response: { status: 201, description: "The team", schema: Change },
      problems: {
        404: ["user_not_found"],
        422: ["invalid_team"],
        429: ["too_many_teams"],
      },
    },
    {
      method: "post",
      path: "/{id}/invitations",
      summary: "Invite a user or an address",
      description:
        "Only owners and admins of the team can invite, and only owners can invite an owner. A pending invitation of the same " +
        "user or address is replaced. The response does not say whether the address has an account.",
      auth: ["user", "secret"],
      idempotent: true,
      params: schema.TeamPath,
      body: z.union([schema.UserInvitation, schema.ServiceInvitation]),
      response: { status: 201, description: "The invitation", schema: Invitation },
      problems: {
        403: ["not_team_admin", "not_team_owner"],
        404: ["team_not_found", "user_not_found"],
        409: ["already_member"],
        422: ["invalid_invitation"],
        429: ["too_many_invitations"],
      },
    },
    {
      ...answering,
      path: "/invitations/{id}/accept",
      summary: "Accept an invitation",
      description:
        "The invited user joins the team, or gets the role if it is higher than the one they have.",
      response: { status: 200, description: "The invitation", schema: Invitation },
      problems: {
        404: ["invitation_not_found"],
        409: ["invitation_answered"],
        410: ["invitation_expired", "invitation_void"],
        429: ["too_many_members"],
      },
    },
    {
      ...answering,
      path: "/invitations/{id}/decline",
      summary: "Decline an invitation",
      description: "Only the invited user can decline it.",
      response: { status: 200, description: "The invitation", schema: Invitation },
      problems: { 404: ["invitation_not_found"], 409: ["invitation_answered"] },
    },
    {
      method: "delete",
      path: "/invitations/{id}",
      summary: "Revoke an invitation",
      description:
        "Owners and admins of the team can revoke invitations; only owners can revoke one that makes an owner.",
      auth: ["user", "secret"],
      params: schema.InvitationPath,
      query: z.partial(schema.ServiceNothing),
      response: { status: 200, description: "The invitation", schema: Invitation },
      problems: {
        403: ["not_team_admin", "not_team_owner"],
        404: ["team_not_found", "invitation_not_found"],
        409: ["invitation_answered"],
        422: ["invalid_request"],
      },
    },
    {
      method: "post",
      path: "/{id}/leave",
      summary: "Leave a team",
      description:
        "The last owner cannot leave: another member must first accept an invitation as owner.",
      auth: ["user", "secret"],
      params: schema.TeamPath,
      body: nothing,
      response: { status: 200, description: "The membership that has ended", schema: Member },
      problems: { 404: ["team_not_found"], 409: ["last_owner"] },
    },
    {
      method: "delete",
      path: "/{id}",
      summary: "Delete a team",
      description:
        "Only owners can delete the team, once its subscription has ended and no hold is open. Its credits lapse. Its projects stay with " +
        "the users who created them; with `delete_projects=true` they are deleted, and these users can restore them.",
      auth: ["user", "secret"],
      idempotent: true,
      params: schema.TeamPath,
      query: z.partial(schema.ServiceDelete),
      response: {
        status: 200,
        description: "The team, the credits that lapsed, and the number of projects that left it",
        schema: Change,
      },
      problems: {
        403: ["not_team_owner"],
        404: ["team_not_found"],
        409: ["team_has_subscription", "team_has_holds"],
        422: ["invalid_request"],
      },
    },
  ],
});
