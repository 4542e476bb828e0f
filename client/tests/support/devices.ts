/**
 * Devices of one user, each with its own supabase-js client and store.
 *
 * @module
 */

import { createClient } from "@supabase/supabase-js";

import { signUp, stack, type TestUser } from "../../../supabase/functions/_testing/testing.ts";
import { Chats, type ChatsOptions, type DeviceKey } from "../../mod.ts";

/**
 * Makes a device where a user is signed in.
 *
 * @param user the signed-in user
 * @param options of the `Chats`, and the `fetch` that it goes through
 */
export function device(
  user: TestUser,
  { fetch, ...options }: ChatsOptions & { fetch?: typeof globalThis.fetch } = {},
): Chats {
  const supabase = createClient(stack.url, stack.publishableKey, {
    accessToken: () => Promise.resolve(user.token),
    ...(fetch && { global: { fetch } }),
  });
  return new Chats(supabase, user.id, options);
}

/** Makes a new user with two devices whose keys are unlocked. The second device is remembered. */
export async function newUser(): Promise<NewUser> {
  const user = await signUp();
  const password = "a password for the chats";
  const [phone, laptop] = [device(user), device(user)];
  await phone.keys.setUp(password);
  await laptop.keys.unlock({ password });
  const key = await laptop.keys.rememberDevice();
  return { user, password, phone, laptop, key };
}

/** See {@link newUser}. */
export interface NewUser {
  user: TestUser;
  password: string;
  phone: Chats;
  laptop: Chats;
  key: DeviceKey;
}
