/**
 * What becomes of the images that a model makes.
 *
 * @module
 */

import { logLine } from "../_shared/log.ts";
import { Problem } from "../_shared/problem.ts";
import { storeImage } from "./made_images.ts";
import type { Part } from "./pieces.ts";

/** The most images of a step that are stored. */
export const MOST_IMAGES = 4;

/** Stores an image for a user, and returns its part. */
type Store = (userId: string, url: string) => Promise<Part>;

/** Where images are stored. Without files, they are refused. */
const destination: { keep?: Store } = {
  keep: storeImage,
};

/**
 * Stores the images of a step. Never throws: an image that cannot be kept becomes a part that says why.
 *
 * @param userId Their user.
 * @param isEphemeral Whether nothing may be stored.
 * @param urls The URLs that the model has sent.
 * @returns The parts of the message.
 */
export async function keepImages(
  userId: string,
  isEphemeral: boolean,
  urls: string[],
): Promise<Part[]> {
  const parts: Part[] = [];
  for (const [index, url] of urls.entries()) {
    const store = destination.keep;
    if (isEphemeral || !store) {
      parts.push(refused("not_stored", "The images of this answer are not stored"));
    } else if (index >= MOST_IMAGES) {
      parts.push(refused("too_many_files", `An answer can have ${MOST_IMAGES} images in a step`));
    } else parts.push(await store(userId, url).catch(toRefused));
  }
  return parts;
}

function toRefused(error: unknown): Part {
  if (error instanceof Problem) return refused(error.code, error.message);
  logLine("error", { message: `An image of an answer could not be stored: ${error}` });
  return refused("storage_unavailable", "The image could not be stored");
}

function refused(code: string, detail: string): Part {
  return { type: "data-file-refused", data: { code, detail } };
}
