/**
 * What Storage refuses, as a problem with its reason.
 *
 * @module
 */

import { Problem } from "../_shared/problem.ts";

/** An error of storage-js: an answer of Storage, or none at all. */
interface StorageRefusal {
  message: string;
  /** Status of the answer; Storage sends many refusals as 400. */
  status?: number | undefined;
  /** The status that the refusal stands for, or its code. */
  statusCode?: string | undefined;
  /** The refusal's code, in newer versions of Storage. */
  code?: string | undefined;
}

/** What each status that Storage refuses with is here. */
const KNOWN: Record<number, [status: number, code: string]> = {
  400: [422, "storage_refused"],
  401: [403, "storage_forbidden"],
  403: [403, "storage_forbidden"],
  404: [404, "object_not_found"],
  409: [409, "object_exists"],
  413: [413, "file_too_large"],
  415: [422, "content_type_not_allowed"],
  422: [422, "storage_refused"],
  423: [503, "try_again"],
  429: [503, "try_again"],
};

/**
 * What Storage said, to be thrown in a route: a refusal with its reason, and anything else as something to try again.
 *
 * @param error What storage-js answered as error.
 */
export function fromStorage(error: StorageRefusal): Problem {
  const status = storageStatus(error);
  const [known, code] = KNOWN[status] ?? (status >= 400 && status < 500 ? KNOWN[400] : undefined) ??
    [503, "storage_unavailable"];
  if (known === 503) {
    return new Problem(503, code, "Storage cannot do this now", {
      hint: "Try again in a moment",
      headers: { "retry-after": "1" },
      cause: error,
    });
  }
  return new Problem(known, code, `Storage refused: ${error.message}`, {
    fields: { storage: { status, code: error.code ?? error.statusCode, message: error.message } },
    cause: error,
  });
}

/**
 * The status that a refusal stands for: in its body where it says so, else that of the answer, or 0 without one.
 *
 * @param error What storage-js answered as error.
 */
export function storageStatus(error: StorageRefusal): number {
  const said = Number(error.statusCode);
  return Number.isInteger(said) && said >= 400 ? said : error.status ?? 0;
}
