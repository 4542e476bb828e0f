/**
 * Turns Storage's errors into problems.
 *
 * @module
 */

import { Problem } from "../_shared/problem.ts";

/** An error of storage-js: Storage refused the request, or did not respond at all. */
interface StorageRefusal {
  message: string;
  /** Status of the response; Storage sends many errors as 400. */
  status?: number | undefined;
  /** The status that Storage means, or a code. */
  statusCode?: string | undefined;
  /** The error's code, in newer versions of Storage. */
  code?: string | undefined;
}

/** Our status and code for each status of Storage. */
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
 * The problem to throw for an error of Storage. Errors that are not the caller's become "try again".
 *
 * @param error The error that storage-js returned.
 */
export function fromStorage(error: StorageRefusal): Problem {
  const status = storageStatus(error);
  const [known, code] = KNOWN[status] ?? (status >= 400 && status < 500 ? KNOWN[400] : undefined) ??
    [503, "storage_unavailable"];
  if (known === 503) {
    return new Problem(503, code, "Storage is not available at the moment", {
      hint: "Try again in a moment",
      headers: { "retry-after": "1" },
      cause: error,
    });
  }
  return new Problem(known, code, `Storage refused the request: ${error.message}`, {
    fields: { storage: { status, code: error.code ?? error.statusCode, message: error.message } },
    cause: error,
  });
}

/**
 * The status that an error stands for: the one in its body, else that of the response, or 0 if there was no response.
 *
 * @param error The error that storage-js returned.
 */
export function storageStatus(error: StorageRefusal): number {
  const said = Number(error.statusCode);
  return Number.isInteger(said) && said >= 400 ? said : error.status ?? 0;
}
