/**
 * Shows the e-mails in a browser, and to programs with the API of Mailpit, which the Supabase CLI runs on the same port.
 *
 * https://mailpit.axllent.org/docs/api-v1/ describes that API. Here are its routes that list, search, read and delete e-mails.
 *
 * @module
 */

import { type Context, Hono } from "hono";

import { within } from "../within.ts";
import { type Mail, type Mailbox, sizeOf, snippetOf } from "./mailbox.ts";
import { listPage, mailPage, noMailPage } from "./pages.ts";

/** The running server. */
export interface MailServer {
  stop(): Promise<void>;
}

/** E-mails in a list, unless the request says how many. */
const PAGE_SIZE = 50;

/** Milliseconds that pending requests have to end. */
const PATIENCE_MS = 1_000;

/** What an e-mail contains must not run, send or load anything. Its images are shown. */
const MAIL_POLICY = "default-src 'none'; img-src * data:; style-src 'unsafe-inline'; sandbox " +
  "allow-popups allow-popups-to-escape-sandbox";

/** A name that another website resolves to this machine must not read e-mails. */
const LOCAL_HOST = /^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/;

/**
 * Serves e-mails on 127.0.0.1.
 *
 * @param port The port; it must be free.
 * @param mailbox The e-mails.
 */
export function serveMails(port: number, mailbox: Mailbox): MailServer {
  const app = createApp(mailbox);
  const server = Deno.serve({ hostname: "127.0.0.1", port, onListen: () => {} }, app.fetch);
  return { stop: () => within(PATIENCE_MS, server.shutdown()) };
}

function createApp(mailbox: Mailbox): Hono {
  const app = new Hono();
  app.use(async (c, next) => {
    if (!LOCAL_HOST.test(c.req.header("host") ?? "")) return c.text("Unknown host", 403);
    await next();
  });

  app.get("/", (c) => {
    const query = c.req.query("query") ?? "";
    return c.html(listPage(mailbox.search(query), query));
  });
  app.get("/view/:file{.+\\.html}", (c) => {
    const mail = mailbox.open(c.req.param("file").slice(0, -".html".length));
    if (!mail) return c.text("Not found", 404);
    // Links open outside of the frame that shows the e-mail.
    return c.html(`<base target="_blank">${mail.html}`, 200, {
      "content-security-policy": MAIL_POLICY,
    });
  });
  app.get("/view/:file{.+\\.txt}", (c) => {
    const mail = mailbox.open(c.req.param("file").slice(0, -".txt".length));
    return mail ? c.text(mail.text) : c.text("Not found", 404);
  });
  app.get("/view/:id", (c) => {
    const mail = mailbox.open(c.req.param("id"));
    if (!mail) return c.html(noMailPage(), 404);
    return c.html(mailPage(mail, c.req.query("text") === undefined ? "html" : "text"));
  });
  app.post("/delete", (c) => {
    // A form of another website must not delete anything.
    if (c.req.header("sec-fetch-site") === "cross-site") return c.text("Forbidden", 403);
    mailbox.delete();
    return c.redirect("/", 303);
  });

  app.get("/api/v1/messages", (c) => c.json(listed(c, mailbox.search(), mailbox)));
  app.get(
    "/api/v1/search",
    (c) => c.json(listed(c, mailbox.search(c.req.query("query")), mailbox)),
  );
  app.get("/api/v1/message/:id", (c) => {
    const mail = mailbox.open(c.req.param("id"));
    if (!mail) return c.json({ Error: "message not found" }, 404);
    return c.json({ ...summary(mail), Date: mail.sentAt, Text: mail.text, HTML: mail.html });
  });
  app.delete("/api/v1/messages", async (c) => {
    const body = await c.req.json().catch(() => ({}));
    mailbox.delete(Array.isArray(body?.IDs) ? body.IDs : []);
    return c.text("ok");
  });
  return app;
}

/** A part of the e-mails, as `start` and `limit` say. */
function listed(c: Context, found: Mail[], mailbox: Mailbox) {
  const start = Math.max(0, Number(c.req.query("start")) || 0);
  const limit = Math.max(0, Number(c.req.query("limit") ?? PAGE_SIZE) || 0);
  const all = mailbox.search();
  const messages = found.slice(start, start + limit).map(summary);
  return {
    total: all.length,
    unread: all.filter(({ read }) => !read).length,
    count: messages.length,
    messages_count: found.length,
    start,
    messages,
  };
}

function summary(mail: Mail) {
  return {
    ID: mail.id,
    MessageID: mail.id,
    Read: mail.read,
    From: { Name: "Strongroom", Address: "auth@localhost" },
    To: [{ Name: "", Address: mail.to }],
    Cc: [],
    Bcc: [],
    ReplyTo: [],
    Subject: mail.subject,
    Created: mail.sentAt,
    Tags: [],
    Size: sizeOf(mail),
    Attachments: 0,
    Snippet: snippetOf(mail),
  };
}
