import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** Files and folders that the image is built from, relative to the project. `.dockerignore` lets only these through. */
export const imageSources: readonly string[] = ["image", "package.json", "package-lock.json"];

/**
 * Returns the SHA-256 of the paths and contents of the image's sources below `root`, in hex. It does not depend on where
 * `root` is. Hidden files, which editors and file managers leave behind, are not included.
 */
export function hashSources(root: string): string {
  const hash = createHash("sha256");
  for (const path of imageSources.flatMap((source) => listFiles(root, source)).sort()) {
    const content = readFileSync(join(root, path));
    hash.update(`${path}\0${content.length}\0`).update(content);
  }
  return hash.digest("hex");
}

function listFiles(root: string, path: string): string[] {
  if (!statSync(join(root, path)).isDirectory()) return [path];
  return readdirSync(join(root, path))
    .filter((name) => !name.startsWith("."))
    .flatMap((name) => listFiles(root, `${path}/${name}`));
}
