/**
 * What a charge costs in CPU time of the edge function, over sockets, without the database: compared with a bare
 * `Deno.serve` that makes the same call with one client, and neither authenticates, checks nor logs.
 *
 * The database is played by a server in this process, whose time does not count.
 *
 * @module
 */

import { createInterface } from "node:readline";
import { Readable } from "node:stream";
import type { ReadableStream as NodeReadableStream } from "node:stream/web";
import { fileURLToPath } from "node:url";

import { exportJWK, generateKeyPair, SignJWT } from "jose";

/** Scales the benchmark. Use SCALE=0.01 to test it. */
const SCALE = Number(Deno.env.get("SCALE") ?? "1");

/** Rounds. Ours and the reference take turns, so that other load on the machine affects both. */
const ROUNDS = 7;
/** Requests of one turn. */
const REQUESTS = Math.max(50, Math.round(2000 * SCALE));
/** Requests at the same time. */
const CONNECTIONS = 16;
/** Users, each with a session token. They send requests in turn. */
const USERS = 500;

/** The aim: at most this many times the reference. */
const AIM = 1.3;

const SECRET_KEY = `sb_secret_${"x".repeat(31)}`;

/** What `deduct_credits` returns. */
const RECEIPT = {
  account_id: crypto.randomUUID(),
  entry_no: 1042,
  amount: -0.5,
  balance: 1099.5,
  available: 1099.5,
  unit: "credit",
  created_at: "2026-11-01T00:00:00.000000+00:00",
  replayed: false,
};

/** A kind of request. */
interface Kind {
  name: string;
  headers: (n: number) => Record<string, string>;
  body: string;
  status: number;
  /** Whether the aim is for this kind. */
  judged: boolean;
}

/** A process that serves, and the CPU time in microseconds that it has used. */
interface Host {
  send(kind: Kind, n: number): Promise<void>;
  cpu(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts a host of an edge function, or of the reference: `bare`. */
async function startHost(name: string, env: Record<string, string>): Promise<Host> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--allow-all",
      "--quiet",
      fileURLToPath(new URL("function_host.ts", import.meta.url)),
      name,
    ],
    env,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const output: ReadableStream<Uint8Array<ArrayBuffer>> = child.stdout;
  const lines = createInterface({ input: Readable.fromWeb(output as NodeReadableStream) });
  const [first] = await new Promise<[string]>((resolve) =>
    lines.once("line", (line) => resolve([line]))
  );
  const { port, meter } = JSON.parse(first);
  // The log of each request is read, as the platform does, and dropped.
  lines.on("line", () => {});
  return {
    async send({ headers, body, status }, n) {
      const response = await fetch(`http://127.0.0.1:${port}/credits/deduct`, {
        method: "POST",
        headers: { "content-type": "application/json", ...headers(n) },
        body,
      });
      const answer = await response.text();
      if (response.status !== (name === "bare" ? 200 : status)) throw new Error(answer);
    },
    async cpu() {
      const { user, system } = await (await fetch(`http://127.0.0.1:${meter}`)).json();
      return user + system;
    },
    async stop() {
      child.kill();
      await child.status;
    },
  };
}

/** CPU time of one request, in microseconds. */
async function measure(host: Host, kind: Kind): Promise<number> {
  const before = await host.cpu();
  let sent = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (sent < REQUESTS) await host.send(kind, sent++);
  }));
  return (await host.cpu() - before) / sent;
}

function median(values: number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

type SigningKey = Parameters<SignJWT["sign"]>[0];

/** Session tokens as Supabase Auth issues them, one for each user. */
function signTokens(alg: string, kid: string, key: SigningKey): Promise<string[]> {
  const now = Math.floor(Date.now() / 1000);
  return Promise.all(Array.from({ length: USERS }, (_, n) => {
    const sub = crypto.randomUUID();
    const email = `user${n}@example.com`;
    return new SignJWT({
      iss: "https://project.supabase.co/auth/v1",
      sub,
      aud: "authenticated",
      role: "authenticated",
      iat: now,
      exp: now + 3600,
      email,
      phone: "",
      app_metadata: { provider: "email", providers: ["email"] },
      user_metadata: { email, email_verified: true, phone_verified: false, sub },
      aal: "aal1",
      amr: [{ method: "password", timestamp: now }],
      session_id: crypto.randomUUID(),
      is_anonymous: false,
    }).setProtectedHeader({ alg, kid, typ: "JWT" }).sign(key);
  }));
}

const secret = crypto.getRandomValues(new Uint8Array(32));
const pair = await generateKeyPair("ES256", { extractable: true });
const tokens = {
  HS256: await signTokens("HS256", "shared", secret),
  ES256: await signTokens("ES256", "pair", pair.privateKey),
};
const jwks = {
  keys: [
    { ...await exportJWK(secret), alg: "HS256", kid: "shared", use: "sig" },
    { ...await exportJWK(pair.publicKey), alg: "ES256", kid: "pair", use: "sig" },
  ],
};

const key = () => ({ "idempotency-key": crypto.randomUUID() });
const asService = () => ({ apikey: SECRET_KEY, ...key() });
const asUser = (alg: keyof typeof tokens) => (n: number) => ({
  apikey: "sb_publishable_x",
  authorization: `Bearer ${tokens[alg][n % USERS]}`,
  ...key(),
});
const item = { sku: "chat.tokens", quantity: 0.5 };
const service = JSON.stringify({ user_id: crypto.randomUUID(), ...item });
const user = JSON.stringify(item);

const KINDS: Kind[] = [
  { name: "a secret key", headers: asService, body: service, status: 200, judged: true },
  {
    name: "a user's token, shared secret (HS256)",
    headers: asUser("HS256"),
    body: user,
    status: 200,
    judged: true,
  },
  {
    name: "a user's token, key pair (ES256)",
    headers: asUser("ES256"),
    body: user,
    status: 200,
    judged: true,
  },
  {
    name: "a secret key, and a body that is refused",
    headers: asService,
    body: user,
    status: 422,
    judged: false,
  },
];

const database = Deno.serve(
  { hostname: "127.0.0.1", port: 0, onListen: () => {} },
  async (request) => {
    // Unread, a body makes the server close the connection.
    await request.arrayBuffer();
    return Response.json(RECEIPT);
  },
);
const env = {
  SUPABASE_URL: `http://127.0.0.1:${database.addr.port}`,
  SUPABASE_PUBLISHABLE_KEYS: JSON.stringify({ default: "sb_publishable_x" }),
  SUPABASE_SECRET_KEYS: JSON.stringify({ default: SECRET_KEY }),
  SUPABASE_JWKS: JSON.stringify(jwks),
};
const ours = await startHost("credits", env);
const bare = await startHost("bare", env);
try {
  console.log(
    `\nCPU time of the function for a charge, median of ${ROUNDS} rounds of ${REQUESTS} requests; ` +
      `aim: at most ${AIM} times the reference\n`,
  );
  console.log(`${"sent with".padEnd(42)} ${"ours".padStart(8)} ${"reference".padStart(10)}`);
  // Twice, so that the code is optimized.
  for (const kind of [...KINDS, ...KINDS]) {
    for (const host of [ours, bare]) await measure(host, kind);
  }
  for (const kind of KINDS) {
    const rounds: [ours: number, reference: number][] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push([await measure(ours, kind), await measure(bare, kind)]);
    }
    const [a, b] = [median(rounds.map(([a]) => a)), median(rounds.map(([, b]) => b))];
    const ratio = median(rounds.map(([a, b]) => a / b));
    const missed = kind.judged && ratio > AIM ? " MISSED" : "";
    console.log(
      `${kind.name.padEnd(42)} ${a.toFixed(0).padStart(5)} us ${b.toFixed(0).padStart(7)} us` +
        `  x${ratio.toFixed(2)}${kind.judged ? `, aim x${AIM.toFixed(2)}${missed}` : ""}`,
    );
  }
} finally {
  await Promise.all([ours.stop(), bare.stop(), database.shutdown()]);
}
