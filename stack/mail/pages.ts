/**
 * The pages on which e-mails are listed and read.
 *
 * @module
 */

import { html, raw } from "hono/html";

import { type Mail, snippetOf } from "./mailbox.ts";

/** Something that Hono sends as HTML. */
type Html = ReturnType<typeof html>;

const STYLE = `
  :root { color-scheme: light dark; --line: light-dark(#e5e5e2, #33332f); --quiet: light-dark(#6b6b63, #a3a39a);
    --paper: light-dark(#fff, #1b1b19); --accent: light-dark(#0f6b4f, #5fd0a5); }
  * { box-sizing: border-box; }
  body { margin: 0; background: light-dark(#f6f6f3, #121211); color: light-dark(#1c1c1a, #ededea);
    font: 15px/1.5 system-ui, sans-serif; }
  main { max-width: 52rem; margin: 0 auto; padding: 2.5rem 1.25rem; }
  header { display: flex; gap: 1rem; align-items: center; flex-wrap: wrap; margin-bottom: 1.25rem; }
  h1 { font-size: 1.25rem; margin: 0; flex: 1; overflow-wrap: anywhere; }
  a { color: inherit; text-decoration: none; }
  .card { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; overflow: hidden; }
  .row { display: grid; grid-template-columns: 1fr auto; gap: 0 1rem; padding: .8rem 1.1rem; border-top: 1px solid var(--line); }
  .row:first-child { border-top: 0; }
  .row:hover, .row:focus-visible { background: light-dark(#f9f9f7, #222220); }
  .new b::before { content: "●"; color: var(--accent); margin-right: .5rem; font-size: .7em; vertical-align: middle; }
  .quiet { color: var(--quiet); }
  .line { grid-column: 1 / -1; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
  .empty { padding: 3.5rem 1rem; text-align: center; color: var(--quiet); }
  input, button { font: inherit; color: inherit; background: var(--paper); border: 1px solid var(--line);
    border-radius: 8px; padding: .35rem .7rem; }
  button { cursor: pointer; }
  nav { display: flex; gap: 1rem; padding: .7rem 1.1rem; border-bottom: 1px solid var(--line); color: var(--quiet); }
  nav [aria-current] { color: inherit; font-weight: 600; }
  iframe { display: block; width: 100%; height: 60vh; border: 0; background: #fff; }
  pre { margin: 0; padding: 1.1rem; white-space: pre-wrap; overflow-wrap: anywhere; font: 14px/1.6 ui-monospace, monospace; }
  pre a, .back { color: var(--accent); }
`;

function page(title: string, body: Html): Html {
  return html`
    <!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width">
        <title>${title}</title>
        <style>${raw(STYLE)}</style>
      </head>
      <body>
        <main>${body}</main>
      </body>
    </html>
  `;
}

/** The list of e-mails. */
export function listPage(mails: Mail[], query: string): Html {
  const empty = query
    ? html`<p class="empty">No e-mail contains “${query}”.</p>`
    : html`<p class="empty">No e-mails yet. What Auth sends appears here, and never leaves this machine.</p>`;
  return page(
    "E-mails",
    html`<header>
  <h1>E-mails</h1>
  <form><input type="search" name="query" value="${query}" placeholder="Search" aria-label="Search"></form>
  <form method="post" action="/delete"><button>Delete all</button></form>
</header>
<div class="card">${mails.length > 0 ? mails.map(row) : empty}</div>`,
  );
}

function row(mail: Mail): Html {
  return html`<a class="row ${mail.read ? "" : "new"}" href="/view/${mail.id}">
  <b>${mail.subject}</b> <time class="quiet" datetime="${mail.sentAt.toISOString()}">${
    timeOf(mail)
  }</time>
  <span class="line">${mail.to}</span>
  <span class="line quiet">${snippetOf(mail)}</span>
</a>`;
}

/** One e-mail, as HTML or as text. */
export function mailPage(mail: Mail, format: "html" | "text"): Html {
  const content = format === "html" && mail.html
    ? html`
      <iframe src="/view/${mail.id}.html" title="The e-mail"
        sandbox="allow-popups allow-popups-to-escape-sandbox"></iframe>
    `
    : html`<pre>${withLinks(mail.text)}</pre>`;
  const current = (own: string) => own === format ? raw('aria-current="page"') : "";
  return page(
    mail.subject,
    html`
      <p><a class="back" href="/">← E-mails</a></p>
      <header>
        <h1>${mail.subject}</h1>
      </header>
      <p class="quiet">To ${mail.to} · ${timeOf(mail)}</p>
      <div class="card">
      <nav><a href="?" ${current("html")}>HTML</a> <a href="?text" ${current("text")}>Text</a></nav>
      ${content}
      </div>
    `,
  );
}

/** What is shown in place of an e-mail that does not exist. */
export function noMailPage(): Html {
  return page(
    "No such e-mail",
    html`<p class="empty">This e-mail does not exist. It was deleted, or the stack was restarted.</p>
<p><a class="back" href="/">← E-mails</a></p>`,
  );
}

function withLinks(text: string): (string | Html)[] {
  return text.split(/(https?:\/\/\S+)/).map((part, index) =>
    index % 2 === 1 ? html`<a href="${part}" target="_blank" rel="noreferrer">${part}</a>` : part
  );
}

/** In UTC, like the times in logs. */
function timeOf({ sentAt }: Mail): string {
  return `${sentAt.toISOString().slice(0, 19).replace("T", " ")} UTC`;
}
