/**
 * For tests that need a bucket: no migration of the product has one yet that everyone may use.
 *
 * @module
 */

import { serviceClient } from "../../supabase/functions/_testing/testing.ts";

/** Makes a private bucket of a random name and returns the name. */
export async function createBucket(): Promise<string> {
  const name = `test-${crypto.randomUUID()}`;
  const { error } = await serviceClient().storage.createBucket(name);
  if (error) throw error;
  return name;
}
