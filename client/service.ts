/**
 * What a server calls with the secret key: for a user whom it names, or for the project.
 *
 * ```ts
 * const service = createService(createClient(url, process.env.SUPABASE_SECRET_KEY));
 * const { data: hold, error } = await service.credits.hold({ user_id, items: [{ sku: "tokens", quantity: 4000 }] });
 * ```
 *
 * @module
 */

import type { Methods } from "./api/call.ts";
import { type CallerOptions, methodsOf, sender } from "./api/caller.ts";
import { SERVICE_ROUTES } from "./api/routes.ts";
import type { AnySupabaseClient } from "./chats/supabase_client.ts";

export type { CallerOptions } from "./api/caller.ts";
export type {
  Answer,
  Call,
  CallOptions,
  Code,
  Input,
  Method,
  Methods,
  Result,
  RouteName,
} from "./api/call.ts";
export type { SERVICE_ROUTES } from "./api/routes.ts";
export { type ClientCode, StrongroomError } from "./api/strongroom_error.ts";
export type { AnySupabaseClient } from "./chats/supabase_client.ts";
export type { Routes } from "./generated/routes.ts";

/** The calls of a service. */
export type StrongroomService = Methods<typeof SERVICE_ROUTES, "service">;

/**
 * Makes the calls of a service.
 *
 * @param supabase client with the secret key; never in a browser
 * @param options how calls are repeated
 */
export function createService(
  supabase: AnySupabaseClient,
  options: CallerOptions = {},
): StrongroomService {
  return methodsOf<typeof SERVICE_ROUTES, "service">(
    SERVICE_ROUTES,
    sender(supabase, options),
  );
}
