/**
 * Signs in with the password of the chats, which the server does not learn.
 *
 * @module
 */

import { oldSignInPassword, signInPassword } from "../crypto/mod.ts";
import type { AnySupabaseClient } from "./supabase_client.ts";

/** What Auth answers to a sign-in. */
export type SignedIn = Awaited<ReturnType<AnySupabaseClient["auth"]["signInWithPassword"]>>;

/**
 * Signs in with the sign-in password that is derived from the password of the chats.
 *
 * @param supabase client of the app
 * @param account `email` and `password`; `replaceOld`: whether the account may still have the sign-in password that
 * clients derived before. Then a refused sign-in is tried with that one, and it is replaced. Leave it out as soon as
 * every account has signed in once: the old value is easier to guess from
 * @returns what supabase-js returns
 */
export async function signIn(
  supabase: AnySupabaseClient,
  { email, password, replaceOld = false }: {
    email: string;
    password: string;
    replaceOld?: boolean;
  },
): Promise<SignedIn> {
  const current = await signInPassword(email, password);
  const answer = await supabase.auth.signInWithPassword({ email, password: current });
  if (!answer.error || !replaceOld || answer.error.code !== "invalid_credentials") return answer;
  const before = await oldSignInPassword(email, password);
  const old = await supabase.auth.signInWithPassword({ email, password: before });
  if (old.error) return answer;
  // If this fails, the next sign-in tries again.
  await supabase.auth.updateUser({ password: current });
  return old;
}
