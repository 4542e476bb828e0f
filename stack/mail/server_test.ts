import assert from "node:assert/strict";
import { request } from "node:http";

import { anonymousClient, signUp, stack, test } from "../../supabase/functions/_testing/testing.ts";
import { freePort } from "../ports.ts";
import { Mailbox } from "./mailbox.ts";
import { serveMails } from "./server.ts";
import { type ApiMail, latestMail, mailApi } from "./testing.ts";

/** What the API returns as a list. */
interface List {
  total: number;
  unread: number;
  count: number;
  messages_count: number;
  messages: ApiMail[];
}

/** Serves a mailbox of its own. */
async function withMailbox(run: (mailbox: Mailbox, url: string) => Promise<void>): Promise<void> {
  const port = freePort();
  const mailbox = new Mailbox();
  const server = serveMails(port, mailbox);
  try {
    await run(mailbox, `http://127.0.0.1:${port}`);
  } finally {
    await server.stop();
  }
}

async function textOf(url: string, status = 200): Promise<string> {
  const response = await fetch(url);
  assert.equal(response.status, status);
  return await response.text();
}

test("a mail of Auth can be listed, searched and read by programs", async () => {
  const { email } = await signUp();
  await anonymousClient().auth.resetPasswordForEmail(email);
  const mail = await latestMail(email);
  assert.equal(mail.Subject, "Reset Your Password");
  assert.equal(mail.To[0]?.Address, email);
  assert.match(mail.Text, /^Reset your password with this code: \d{6}/);
  assert.match(mail.HTML, /^<!DOCTYPE html/);
  const list = await mailApi<List>("messages?limit=500");
  assert.ok(list.messages.some(({ ID, Read }) => ID === mail.ID && Read));
  assert.equal((await mailApi<ApiMail>(`message/${mail.ID}`)).HTML, mail.HTML);
});

test("a mail can be looked at in a browser, as HTML and as text", async () => {
  const { email } = await signUp();
  await anonymousClient().auth.resetPasswordForEmail(email);
  const { ID, HTML, Text } = await latestMail(email);
  const list = await textOf(stack.mailUrl);
  assert.ok(list.includes(`href="/view/${ID}"`) && list.includes(email));
  assert.ok((await textOf(`${stack.mailUrl}/view/${ID}`)).includes(`src="/view/${ID}.html"`));
  assert.ok((await textOf(`${stack.mailUrl}/view/${ID}.html`)).includes(HTML));
  assert.match(await textOf(`${stack.mailUrl}/view/${ID}?text`), /<a href="http[^"]+verify/);
  assert.equal(await textOf(`${stack.mailUrl}/view/${ID}.txt`), Text);
  assert.match(await textOf(`${stack.mailUrl}/view/none`, 404), /does not exist/);
});

test("a mailbox keeps the newest 500 mails, counts, searches and deletes", async () => {
  await withMailbox(async (mailbox, url) => {
    assert.match(await textOf(url), /No e-mails yet/);
    for (let n = 1; n <= 501; n++) {
      await mailbox.send({
        to: `user-${n}@example.com`,
        subject: `Mail ${n}`,
        text: "Hello there",
      });
    }
    const api = async (path: string): Promise<List> =>
      JSON.parse(await textOf(`${url}/api/v1/${path}`));
    const first = await api("messages");
    assert.deepEqual([first.total, first.unread, first.count], [500, 500, 50]);
    assert.equal(first.messages[0]?.Subject, "Mail 501");
    assert.equal((await api("messages?start=499&limit=5")).messages[0]?.Subject, "Mail 2");
    assert.equal((await api("search?query=to:user-77@ hello")).messages_count, 1);
    assert.equal((await api("search?query=subject:hello")).messages_count, 0);
    assert.equal((await api('search?query=subject:"mail 33"')).messages_count, 11);
    await textOf(`${url}/api/v1/message/latest`);
    assert.equal((await api("messages")).unread, 499);

    const remove = (body?: unknown) =>
      fetch(`${url}/api/v1/messages`, {
        method: "DELETE",
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }).then((response) => response.text());
    await remove({ IDs: [first.messages[0]?.ID] });
    assert.equal((await api("messages")).total, 499);
    await remove();
    assert.equal((await api("messages")).total, 0);
  });
});

test("a mail cannot run anything, and no other website can read or delete mails", async () => {
  await withMailbox(async (mailbox, url) => {
    const script = "<script>alert(1)</script>";
    await mailbox.send({ to: "ada@example.com", subject: script, text: script, html: script });
    const { messages: [mail] }: List = JSON.parse(await textOf(`${url}/api/v1/messages`));
    assert.ok(!(await textOf(url)).includes(script));
    assert.ok(!(await textOf(`${url}/view/${mail?.ID}?text`)).includes(script));
    const shown = await fetch(`${url}/view/${mail?.ID}.html`);
    await shown.body?.cancel();
    assert.match(shown.headers.get("content-security-policy") ?? "", /default-src 'none'.*sandbox/);

    const foreign = await fetch(`${url}/delete`, {
      method: "POST",
      headers: { "sec-fetch-site": "cross-site" },
    });
    assert.equal(foreign.status, 403);
    await foreign.body?.cancel();
    const rebound = await new Promise((resolve) =>
      request(url, { headers: { host: "elsewhere.example" } }, (response) => {
        response.resume();
        resolve(response.statusCode);
      }).end()
    );
    assert.equal(rebound, 403);
    assert.ok((await textOf(url)).includes("ada@example.com"));
  });
});
