/**
 * The e-mails that Auth would send. They are kept in memory, as by the Supabase CLI.
 *
 * @module
 */

import { Buffer } from "node:buffer";

import type { EmailMessage } from "@supabase/lite";

/** Older e-mails are forgotten. */
const MOST = 500;

/** Characters of the text that a list shows. */
const SNIPPET_LENGTH = 250;

/** An e-mail. */
export interface Mail {
  id: string;
  to: string;
  subject: string;
  text: string;
  html: string;
  sentAt: Date;
  /** Whether someone has opened it. */
  read: boolean;
}

/** All e-mails of a stack, the newest first. */
export class Mailbox {
  #mails: Mail[] = [];

  /** Takes an e-mail from Auth. */
  send({ to, subject, text = "", html = "" }: EmailMessage): Promise<void> {
    this.#mails.unshift({
      id: crypto.randomUUID(),
      to,
      subject,
      text,
      html,
      sentAt: new Date(),
      read: false,
    });
    this.#mails.length = Math.min(this.#mails.length, MOST);
    return Promise.resolve();
  }

  /**
   * Finds e-mails.
   *
   * @param query Words that all must be in the e-mail; `to:` and `subject:` before a word look only there.
   */
  search(query = ""): Mail[] {
    const terms = query.toLowerCase().match(/(?:[^\s"]|"[^"]*")+/g) ?? [];
    return this.#mails.filter((mail) =>
      terms.every((term) => {
        const [, field, word = ""] = term.replaceAll('"', "").match(/^(?:(to|subject):)?(.*)$/) ??
          [];
        const within = field === "to"
          ? mail.to
          : field === "subject"
          ? mail.subject
          : `${mail.to}\n${mail.subject}\n${mail.text}`;
        return within.toLowerCase().includes(word);
      })
    );
  }

  /** Finds one e-mail; `latest` is the newest. Marks it as read. */
  open(id: string): Mail | undefined {
    const mail = id === "latest" ? this.#mails[0] : this.#mails.find((each) => each.id === id);
    if (mail) mail.read = true;
    return mail;
  }

  /** Deletes e-mails. Without ids: all. */
  delete(ids: string[] = []): void {
    this.#mails = ids.length > 0 ? this.#mails.filter(({ id }) => !ids.includes(id)) : [];
  }
}

/** The beginning of an e-mail's text, on one line. */
export function snippetOf({ text }: Mail): string {
  return text.replaceAll(/\s+/g, " ").trim().slice(0, SNIPPET_LENGTH);
}

/** Bytes of an e-mail's text and HTML. */
export function sizeOf({ text, html }: Mail): number {
  return Buffer.byteLength(text) + Buffer.byteLength(html);
}
