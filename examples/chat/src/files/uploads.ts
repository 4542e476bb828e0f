/** Uploads under way. */

import { useState } from "react";

import { strongroom } from "../backend";

export const BUCKET = "chat_attachments";

export interface Upload {
  key: string;
  name: string;
  /** Bytes. */
  sent: number;
  /** Bytes. */
  total: number;
  problem?: Error;
}

/**
 * Uploads files one by one.
 *
 * @param done Called after each.
 */
export function useUploads(done: () => void) {
  const [uploads, setUploads] = useState<Upload[]>([]);
  const change = (key: string, changes: Partial<Upload>) =>
    setUploads((all) => all.map((each) => each.key === key ? { ...each, ...changes } : each));
  const dismiss = (key: string) => setUploads((all) => all.filter((each) => each.key !== key));

  const add = async (files: File[]) => {
    const begun = files.map((file) => ({ file, key: crypto.randomUUID() }));
    setUploads((all) => [
      ...all,
      ...begun.map(({ file, key }) => ({
        key,
        name: file.name,
        sent: 0,
        total: Math.max(1, file.size),
      })),
    ]);
    for (const { file, key } of begun) {
      const { error } = await strongroom.files.upload(file, {
        bucket: BUCKET,
        onProgress: ({ sent, total }) => change(key, { sent, total: Math.max(1, total) }),
      });
      if (error) change(key, { problem: error });
      else dismiss(key);
      done();
    }
  };
  return { uploads, add, dismiss };
}

/** A size for people. */
export function sizeText(bytes: number): string {
  const unit = bytes < 1e3 ? 0 : bytes < 1e6 ? 1 : 2;
  return `${(bytes / 1000 ** unit).toFixed(unit === 0 ? 0 : 1)} ${["B", "KB", "MB"][unit]}`;
}
