/**
 * Builds the JavaScript and the type declarations of the package into `client/dist/`.
 *
 * @module
 */

import { build, type Metafile, type Plugin, stop } from "esbuild";
import { rollup } from "rollup";
import { dts } from "rollup-plugin-dts";
import { fileURLToPath } from "node:url";

/** The folder of the sources. */
export const CLIENT_DIR: string = fileURLToPath(new URL("..", import.meta.url));

/** Where the package is built, as it is published. */
export const PACKAGE_DIR: string = `${CLIENT_DIR}dist/package`;

/** What the app has itself. */
const PEERS = ["@supabase/supabase-js"];

/** The sources of the entry points, by the name of their file in `dist/`. */
export const ENTRIES: Record<string, string> = {
  index: `${CLIENT_DIR}index.ts`,
  attachments: `${CLIENT_DIR}attachments/attachments.ts`,
  chats: `${CLIENT_DIR}mod.ts`,
  database: `${CLIENT_DIR}database.ts`,
  devices: `${CLIENT_DIR}devices/devices.ts`,
  passkeys: `${CLIENT_DIR}passkeys/passkeys.ts`,
  "replaced-keys": `${CLIENT_DIR}chats/replaced_keys.ts`,
  service: `${CLIENT_DIR}service.ts`,
  "store-tests": `${CLIENT_DIR}store_tests.ts`,
  "stores/indexeddb": `${CLIENT_DIR}stores/indexeddb.ts`,
};

/**
 * Libraries that are part of the package, each in a chunk that is loaded on demand: the app installs nothing, and a page
 * that does not need them does not load them. Only these exports are kept.
 */
const ON_DEMAND: Record<string, string> = {
  "@noble/curves/ed25519.js":
    `export { ristretto255, ristretto255_hasher } from "@noble/curves/ed25519.js";`,
  "hash-wasm": `export { argon2id } from "hash-wasm";`,
  "tus-js-client": `export { Upload } from "tus-js-client";`,
};

/** Builds everything, from scratch. */
export async function bundle(): Promise<void> {
  await Deno.remove(`${CLIENT_DIR}dist`, { recursive: true }).catch(() => {});
  try {
    const { metafile } = await build({
      entryPoints: ENTRIES,
      outdir: PACKAGE_DIR,
      bundle: true,
      splitting: true,
      format: "esm",
      platform: "browser",
      target: "es2022",
      external: PEERS,
      chunkNames: "chunks/[name]-[hash]",
      legalComments: "none",
      metafile: true,
      plugins: [onDemand],
    });
    await Deno.writeTextFile(
      `${PACKAGE_DIR}/THIRD_PARTY_LICENSES.txt`,
      await licenses(metafile),
    );
  } finally {
    await stop();
  }
  await declare();
  await Deno.copyFile(`${CLIENT_DIR}README.md`, `${PACKAGE_DIR}/README.md`);
  await Deno.copyFile(`${CLIENT_DIR}../LICENSE`, `${PACKAGE_DIR}/LICENSE`);
  // Not in client/: tools would take that folder for a project of its own.
  await Deno.copyFile(`${CLIENT_DIR}build/manifest.json`, `${PACKAGE_DIR}/package.json`);
}

/** esbuild keeps all exports of a module that is imported dynamically. */
const onDemand: Plugin = {
  name: "on-demand",
  setup({ onLoad, onResolve }) {
    onResolve(
      { filter: /^[^.]/ },
      ({ path, kind }) =>
        kind === "dynamic-import" && path in ON_DEMAND
          ? { path, namespace: "on-demand" }
          : undefined,
    );
    onLoad({ filter: /./, namespace: "on-demand" }, ({ path }) => ({
      contents: ON_DEMAND[path]!,
      resolveDir: CLIENT_DIR,
    }));
  },
};

async function declare(): Promise<void> {
  const declarations = await rollup({
    input: ENTRIES,
    external: PEERS,
    plugins: [dts({
      compilerOptions: {
        allowImportingTsExtensions: true,
        exactOptionalPropertyTypes: true,
        lib: ["lib.esnext.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
        types: [],
      },
    })],
    onwarn: (warning) => {
      throw new Error(warning.message);
    },
  });
  await declarations.write({
    dir: PACKAGE_DIR,
    chunkFileNames: "chunks/[name]-[hash].d.ts",
  });
  await declarations.close();
}

/** Returns the licences of the libraries that the package contains. */
async function licenses({ inputs }: Metafile): Promise<string> {
  const folders = new Set(
    Object.keys(inputs).flatMap((path) => path.match(/^.*node_modules\/(?:@[^/]+\/)?[^/]+/) ?? []),
  );
  const texts: string[] = [];
  for (const folder of [...folders].sort()) {
    const { name, version } = JSON.parse(
      await Deno.readTextFile(`${folder}/package.json`),
    );
    const file = [...Deno.readDirSync(folder)].find((entry) => /^licen[cs]e/i.test(entry.name));
    if (!file) throw new Error(`${name} has no licence file`);
    texts.push(
      `${name}@${version}\n\n${await Deno.readTextFile(
        `${folder}/${file.name}`,
      )}`,
    );
  }
  return texts.join(`\n${"-".repeat(80)}\n\n`);
}
