/**
 * The hostile account of the benchmark of neighbours, in a thread of its own: what it costs to send its requests must
 * not delay those of the users, who are elsewhere.
 *
 * @module
 */

/// <reference lib="deno.worker" />

import { createClient } from "@supabase/supabase-js";

import { ATTACKS, ORDINARY, type Scene } from "./neighbour_habits.ts";

/** What the thread is told first: where the stack is, and who it is. */
export interface Setting extends Omit<Scene, "hostile"> {
  url: string;
  key: string;
  hostile: { id: string; token: string };
}

/** What it is told for each turn: what to repeat, and for how long. */
export interface Turn {
  habit: string;
  milliseconds: number;
}

let scene: Scene | undefined;

self.onmessage = async ({ data }: MessageEvent<Setting | Turn>) => {
  if ("url" in data) {
    const { url, key, hostile: { id, token }, ...rest } = data;
    const client = createClient(url, key, { accessToken: () => Promise.resolve(token) });
    scene = { ...rest, hostile: { id, client } };
    return;
  }
  const habit = [ORDINARY, ...ATTACKS].find(({ name }) => name === data.habit);
  const end = performance.now() + data.milliseconds;
  for (let n = 0; scene && habit && performance.now() < end; n++) await habit.run(scene, n);
  self.postMessage("done");
};
