/**
 * Installs pgTAP for the embedded PostgreSQL, which does not include it.
 *
 * @module
 */

import { fileURLToPath } from "node:url";

import { pgtap } from "@electric-sql/pglite-pgtap";

/**
 * Copies pgTAP's files to the extensions, so that `create extension pgtap` works. npm has them in a package for PGlite,
 * as plain SQL. Does nothing if they are already there.
 *
 * @param extensionDir Folder of the extensions' control files.
 */
export async function installPgtap(extensionDir: string): Promise<void> {
  if (await exists(`${extensionDir}/pgtap.control`)) return;
  const temporary = await Deno.makeTempDir();
  try {
    await extract(await archivePath(), temporary);
    const from = `${temporary}/share/postgresql/extension`;
    const files = [...Deno.readDirSync(from)].map((entry) => entry.name);
    // The control file goes last, because its presence means that pgTAP is complete.
    const last = (file: string) => Number(file === "pgtap.control");
    for (const file of files.sort((a, b) => last(a) - last(b))) {
      // Another stack may do the same at this moment, or read the file: it must appear as a whole.
      const partial = `${extensionDir}/${file}.${Deno.pid}`;
      await Deno.copyFile(`${from}/${file}`, partial);
      await Deno.rename(partial, `${extensionDir}/${file}`);
    }
  } finally {
    await Deno.remove(temporary, { recursive: true });
  }
}

async function archivePath(): Promise<string> {
  // Only this function, which is meant for PGlite, returns the path of the archive.
  const setup = pgtap.setup as unknown as () => Promise<{ bundlePath: URL }>;
  return fileURLToPath((await setup()).bundlePath);
}

async function extract(archive: string, dir: string): Promise<void> {
  const { success, stderr } = await new Deno.Command("tar", {
    args: ["-xzf", archive, "-C", dir, "share/postgresql/extension"],
  }).output();
  if (!success) throw new Error(`Cannot unpack pgTAP: ${new TextDecoder().decode(stderr)}`);
}

async function exists(path: string): Promise<boolean> {
  return await Deno.stat(path).then(() => true, () => false);
}
