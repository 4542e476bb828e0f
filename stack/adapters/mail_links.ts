/**
 * The links in e-mails lead to Auth, and from there to the app. `@supabase/lite` makes them lead to a path of `site_url`, where
 * there is no Auth, and ignores where the app wants its users to return (seen in 0.10.0).
 *
 * @module
 */

import { AsyncLocalStorage } from "node:async_hooks";

import type { EmailDriver, EmailMessage } from "@supabase/lite";

const LINK = /https?:\/\/[^\s"'<>]+\/auth\/v1\/verify\?[^\s"'<>]+/g;

/** Mends the links of e-mails. */
export interface MailLinks {
  /** Takes e-mails in place of another driver. */
  driver: EmailDriver;
  /** What every request to Auth has to run in. */
  withinRequest<T>(request: Request, run: () => Promise<T>): Promise<T>;
}

/**
 * Mends the links of e-mails before they are sent.
 *
 * @param driver Sends them.
 * @param apiUrl Where Auth is.
 */
export function mendLinks(driver: EmailDriver, apiUrl: string): MailLinks {
  const requests = new AsyncLocalStorage<Request>();
  return {
    withinRequest: (request, run) => requests.run(request, run),
    driver: {
      async send(message: EmailMessage) {
        const target = returnAddress(requests.getStore());
        const mend = (text: string) =>
          text.replaceAll(LINK, (link) => {
            const { search } = new URL(link);
            const mended = new URL(`/auth/v1/verify${search}`, apiUrl);
            // Auth itself replaces an address that config.toml does not allow.
            if (target) mended.searchParams.set("redirect_to", target);
            return mended.href;
          });
        await driver.send({
          ...message,
          ...(message.text !== undefined && { text: mend(message.text) }),
          ...(message.html !== undefined && { html: mend(message.html) }),
        });
      },
    },
  };
}

/** Where the user returns to: what the app asks for, or else the page that sent the request. */
function returnAddress(request?: Request): string | undefined {
  if (!request) return undefined;
  return new URL(request.url).searchParams.get("redirect_to") ?? request.headers.get("referer") ??
    undefined;
}
