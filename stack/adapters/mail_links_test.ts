import assert from "node:assert/strict";

import {
  anonymousClient,
  PASSWORD,
  signUp,
  stack,
  test,
} from "../../supabase/functions/_testing/testing.ts";
import { latestMail, linkIn } from "../mail/testing.ts";
import { withRawLite } from "./testing.ts";

test("the link of a password-reset mail signs in, and returns to the app", async () => {
  const { email } = await signUp();
  const { auth } = anonymousClient();
  const redirectTo = "http://127.0.0.1:3000/new-password?from=mail";
  assert.equal((await auth.resetPasswordForEmail(email, { redirectTo })).error, null);

  const { Text, HTML } = await latestMail(email);
  assert.equal(linkIn(HTML), linkIn(Text));
  const response = await fetch(linkIn(Text), { redirect: "manual" });
  await response.body?.cancel();
  const location = response.headers.get("location") ?? "";
  assert.ok(location.startsWith(`${redirectTo}#`), location);
  const session = new URLSearchParams(location.split("#")[1]);
  assert.equal(session.get("type"), "recovery");
  const { error } = await auth.setSession({
    access_token: session.get("access_token") ?? "",
    refresh_token: session.get("refresh_token") ?? "",
  });
  assert.equal(error, null);
  assert.equal((await auth.updateUser({ password: `new ${PASSWORD}` })).error, null);
  const again = await anonymousClient().auth
    .signInWithPassword({ email, password: `new ${PASSWORD}` });
  assert.equal(again.error, null);
});

test("the link of a mail returns to the page that asked for it, or else to site_url, and never elsewhere", async () => {
  const { email } = await signUp();
  const returns = async (query: string, headers: Record<string, string>) => {
    const response = await fetch(`${stack.url}/auth/v1/recover${query}`, {
      method: "POST",
      headers: { apikey: stack.publishableKey, "content-type": "application/json", ...headers },
      body: JSON.stringify({ email }),
    });
    await response.body?.cancel();
    const followed = await fetch(linkIn((await latestMail(email)).Text), { redirect: "manual" });
    await followed.body?.cancel();
    return followed.headers.get("location")?.split("#")[0];
  };
  assert.equal(await returns("", { referer: "http://127.0.0.1:5173/" }), "http://127.0.0.1:5173/");
  assert.equal(await returns("", {}), "http://127.0.0.1:3000");
  const elsewhere = `?redirect_to=${encodeURIComponent("https://elsewhere.example/")}`;
  assert.equal(await returns(elsewhere, {}), "http://127.0.0.1:3000");
});

test("@supabase/lite alone still sends links to site_url", async () => {
  const { email } = await signUp();
  const text = await withRawLite(async (lite) => {
    await lite.client(stack.publishableKey).auth
      .resetPasswordForEmail(email, { redirectTo: "http://127.0.0.1:3000/back" });
    return lite.mails.at(-1)?.text ?? "";
  });
  const link = new URL(linkIn(text));
  assert.equal(link.origin, "http://127.0.0.1:3000");
  assert.equal(link.searchParams.get("redirect_to"), "http://127.0.0.1:3000");
});
