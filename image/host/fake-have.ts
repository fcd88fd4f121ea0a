import { createHash } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { deflateSync } from "node:zlib";
import type { Commit } from "../git/commits.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";

/**
 * Makes git claim towards a host of protocol 0 that the scratch repository has a commit and all its ancestors.
 * Returns the number of commits written for it.
 */
export async function writeFakeHave({ directory }: ScratchRepository, commit: Commit): Promise<number> {
  await writeCommit(directory, commit.text);
  // Protocol 0 knows no negotiation tip. There, git offers the host what its refs point to.
  await writeFile(join(directory, "refs", "collected"), `${commit.id}\n`);
  if (commit.parents.length === 0) return 1;
  // git reads a replacement without parents in the commit's place, and so never looks for the parents.
  const replacement = join(directory, "refs", "replace", commit.id);
  const [header = "", ...message] = commit.text.split("\n\n");
  const parentless = [header.replace(/^parent .*\n/gm, ""), ...message].join("\n\n");
  await mkdir(dirname(replacement));
  await writeFile(replacement, await writeCommit(directory, parentless));
  return 2;
}

/** Writes a commit as a loose object, and returns its id. */
async function writeCommit(directory: string, text: string): Promise<string> {
  const content = Buffer.from(text, "latin1");
  const object = Buffer.concat([Buffer.from(`commit ${content.length}\0`), content]);
  const id = createHash("sha1").update(object).digest("hex");
  const path = join(directory, "objects", id.slice(0, 2), id.slice(2));
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, deflateSync(object));
  return id;
}
