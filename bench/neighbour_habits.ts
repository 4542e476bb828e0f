/**
 * What a hostile account repeats in the benchmark of neighbours.
 *
 * @module
 */

import { invoke, type Person } from "./ordinary_users.ts";

// Large bodies are written once, so that an attacker costs the machine as little as can be.
const LARGE_BATCH = JSON.stringify({
  messages: Array.from({ length: 20 }, () => ({ role: "user", content: "x".repeat(50_000) })),
});
const MANY_WRAPS = JSON.stringify({ wraps: Array.from({ length: 400_000 }, () => 0) });
const DEEP = `{"messages":[{"role":"user","content":${"[".repeat(50_000)}${"]".repeat(50_000)}}]}`;

/** Sends a body to a function as it is. */
function send({ client }: Person, path: string, body: string, method: "POST" | "PUT" = "POST") {
  return client.functions.invoke(path, {
    method,
    body,
    headers: { "content-type": "application/json" },
  });
}

/** Who is there: the hostile account, and the users' projects. */
export interface Scene {
  hostile: Person;
  projects: string[];
  /** Project of the hostile account, with all of its messages. */
  heavy: string;
  /** How many messages that is. */
  messages: number;
}

/** Something that a neighbour repeats. */
export interface Habit {
  name: string;
  run: (scene: Scene, n: number) => PromiseLike<unknown>;
}

/** What any app does: the comparison for the others. */
export const ORDINARY: Habit = {
  name: "an ordinary request",
  run: ({ hostile }) => hostile.client.from("profiles").select("id").limit(1),
};

/** What a hostile account repeats. */
export const ATTACKS: Habit[] = [
  {
    name: "overwrites a file through its own upload URL",
    run: async ({ hostile: { id, client } }, n) => {
      const bucket = client.storage.from("app_storage");
      const path = `${id}/again-${n % 10}.txt`;
      const { data } = await bucket.createSignedUploadUrl(path, { upsert: true });
      if (data) await bucket.uploadToSignedUrl(path, data.token, "x".repeat(1_000_000));
    },
  },
  {
    name: "reserves uploads",
    run: ({ hostile }, n) =>
      invoke(hostile, "files/uploads", {
        bucket: "app_storage",
        name: `${n}.png`,
        size: 1,
        content_type: "image/png",
      }),
  },
  {
    name: "clones a large project",
    run: ({ hostile, heavy }) => invoke(hostile, `projects/${heavy}/clone`, {}),
  },
  {
    name: "clones the user's project",
    run: ({ hostile, projects }, n) =>
      invoke(hostile, `projects/${projects[n % projects.length]}/clone`, {}),
  },
  {
    name: "writes messages into the user's project",
    run: ({ hostile, projects }, n) =>
      hostile.client.from("messages").insert({
        project_id: projects[n % projects.length],
        role: "user",
        content: "mine",
        sequence_number: 1 + n,
      }),
  },
  {
    name: "saves messages far ahead",
    run: ({ hostile, heavy, messages }, n) =>
      invoke(hostile, `projects/${heavy}/messages`, {
        messages: [{ role: "user", content: "far", sequence_number: messages + 90 * (n + 1) }],
      }),
  },
  {
    name: "saves batches of large messages",
    run: ({ hostile, heavy }) => send(hostile, `projects/${heavy}/messages`, LARGE_BATCH),
  },
  {
    name: "sends 400,000 wraps",
    run: ({ hostile }) => send(hostile, "chats/keys", MANY_WRAPS, "PUT"),
  },
  {
    name: "sends content nested 50,000 deep",
    run: ({ hostile, heavy }) => send(hostile, `projects/${heavy}/messages`, DEEP),
  },
  {
    name: "counts its messages",
    run: ({ hostile }) =>
      hostile.client.from("messages").select("id", { count: "exact", head: true }),
  },
  {
    name: "reads its newest messages",
    run: ({ hostile }) =>
      hostile.client.from("messages").select("*").order("created_at", { ascending: false }).limit(
        1000,
      ),
  },
  {
    name: "searches for a word of every message",
    run: ({ hostile }) => hostile.client.rpc("search_messages", { query: "common" }),
  },
  {
    name: "inserts tasks by the thousand",
    run: ({ hostile }) =>
      hostile.client.from("tasks").insert(
        Array.from({ length: 1_000 }, () => ({ user_id: hostile.id, title: "t" })),
      ),
  },
  {
    name: "fills the waitlist",
    run: ({ hostile }, n) =>
      hostile.client.from("waitlist").insert({ email: `${n}-${crypto.randomUUID()}@example.com` }),
  },
  {
    name: "invites strangers",
    run: ({ hostile }, n) => hostile.client.rpc("create_team", { name: `Team ${n}` }),
  },
];
