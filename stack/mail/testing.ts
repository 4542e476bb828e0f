/**
 * For tests: reads the e-mails of the stack of the run.
 *
 * @module
 */

import assert from "node:assert/strict";

import { stack, until } from "../../supabase/functions/_testing/testing.ts";

/** An e-mail, as the API returns it. */
export interface ApiMail {
  ID: string;
  Subject: string;
  To: { Address: string }[];
  Text: string;
  HTML: string;
  Read: boolean;
}

/** Asks the API of the e-mails for JSON. */
export async function mailApi<T>(path: string): Promise<T> {
  const response = await fetch(`${stack.mailUrl}/api/v1/${path}`);
  assert.equal(response.status, 200);
  return await response.json();
}

/** Waits for an e-mail to an address, and reads the newest. */
export async function latestMail(address: string): Promise<ApiMail> {
  let id: string | undefined;
  await until(async () => {
    const query = encodeURIComponent(`to:"${address}"`);
    const { messages } = await mailApi<{ messages: ApiMail[] }>(`search?query=${query}`);
    id = messages[0]?.ID;
    return id !== undefined;
  });
  return await mailApi<ApiMail>(`message/${id}`);
}

/** The first link in a text or in HTML that leads to Auth. */
export function linkIn(text: string): string {
  const link = text.match(/https?:\/\/[^\s"'<>]+\/auth\/v1\/verify[^\s"'<>]*/)?.[0];
  assert.ok(link, text);
  return link.replaceAll("&amp;", "&");
}
