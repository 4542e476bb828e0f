/**
 * Creates teams; invites users to them, who accept or decline; lets members leave; deletes teams.
 *
 * @module
 */

import { answer } from "../_shared/answer.ts";
import { createApp } from "../_shared/app.ts";
import { authenticate } from "../_shared/auth.ts";
import { readFor, readIdempotencyKey, readPath, readQueryFor } from "../_shared/request.ts";
import { call, defined } from "../_shared/rpc.ts";
import * as schema from "./schema.ts";

const openapi = () => import("./openapi.json", { with: { type: "json" } });

/** The routes of `teams`; `openapi.ts` describes them. */
export const app = createApp("teams", openapi);

const authenticated = authenticate(["user", "secret"]);

app.post("/", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const body = await readFor(c, schema.UserTeam, schema.ServiceTeam);
  const args = defined({ ...body, idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("create_team", args)), 201);
});

app.post("/:id/invitations", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: team_id } = readPath(c, schema.TeamPath);
  const body = await readFor(c, schema.UserInvitation, schema.ServiceInvitation);
  const args = defined({ ...body, team_id, idempotency_key });
  return answer(c, await call(() => supabaseAdmin.rpc("invite_to_team", args)), 201);
});

app.post("/invitations/:id/accept", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: invitation_id } = readPath(c, schema.InvitationPath);
  const { user_id } = await readFor(c, schema.UserNothing, schema.ServiceNothing);
  const args = defined({ user_id, invitation_id });
  return answer(c, await call(() => supabaseAdmin.rpc("accept_team_invitation", args)));
});

app.post("/invitations/:id/decline", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: invitation_id } = readPath(c, schema.InvitationPath);
  const { user_id } = await readFor(c, schema.UserNothing, schema.ServiceNothing);
  const args = defined({ user_id, invitation_id });
  return answer(c, await call(() => supabaseAdmin.rpc("decline_team_invitation", args)));
});

app.delete("/invitations/:id", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: invitation_id } = readPath(c, schema.InvitationPath);
  const { user_id } = readQueryFor(c, schema.UserNothing, schema.ServiceNothing);
  const args = defined({ user_id, invitation_id });
  return answer(c, await call(() => supabaseAdmin.rpc("revoke_team_invitation", args)));
});

app.post("/:id/leave", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const { id: team_id } = readPath(c, schema.TeamPath);
  const { user_id } = await readFor(c, schema.UserNothing, schema.ServiceNothing);
  const args = defined({ user_id, team_id });
  return c.json(await call(() => supabaseAdmin.rpc("leave_team", args)));
});

app.delete("/:id", authenticated, async (c) => {
  const { supabaseAdmin } = c.var.supabaseContext;
  const idempotency_key = readIdempotencyKey(c);
  const { id: team_id } = readPath(c, schema.TeamPath);
  const { delete_projects, ...who } = readQueryFor(c, schema.UserDelete, schema.ServiceDelete);
  const args = defined({
    ...who,
    team_id,
    delete_projects: delete_projects === "true",
    idempotency_key,
  });
  return answer(c, await call(() => supabaseAdmin.rpc("delete_team", args)));
});
