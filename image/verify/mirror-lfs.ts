import { createHash } from "node:crypto";
import type { Part } from "../config/place.ts";
import { type LargeFile, largeFileName } from "../lfs/pointer.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note, problem } from "./finding.ts";
import type { VerifiedStep } from "./mirror-chain.ts";
import { choosePart } from "./mirror-packs.ts";
import type { OnProgress } from "./read-chain.ts";

const filesAtOnce = 8;

/**
 * Checks that all large files that the records name are there in their size, and the content of a part of them.
 * @throws StoreError
 */
export async function checkLargeFiles(
  objects: ObjectStore,
  steps: readonly VerifiedStep[],
  part: Part | undefined,
  onProgress: OnProgress,
): Promise<Finding[]> {
  const files = [...new Map(steps.flatMap(({ lfs = [] }) => lfs.map((file) => [file.oid, file]))).values()];
  const lacking = steps.at(-1)?.lfsMissing ?? [];
  const findings: Finding[] = lacking.length > 0 ? [neverCame(lacking)] : [];
  if (files.length === 0) return findings;
  const sizes = new Map<string, number>();
  for await (const { name, bytes } of objects.list("lfs/objects/")) sizes.set(name, bytes);
  for (const file of files) {
    const size = sizes.get(largeFileName(file));
    if (size === undefined) findings.push(missing(largeFileName(file)));
    else if (size !== file.bytes) findings.push(altered(file, `${size} bytes`, String(file.bytes)));
  }
  const chosen = choosePart(files, part).filter((file) => sizes.get(largeFileName(file)) === file.bytes);
  let checked = 0;
  const contents = await inParallel(chosen, filesAtOnce, async (file) => {
    const hash = createHash("sha256");
    for await (const chunk of objects.read(largeFileName(file))) hash.update(chunk);
    const digest = hash.digest("hex");
    onProgress(`Checking large files: ${++checked} of ${chosen.length}`);
    return digest === file.oid ? [] : [altered(file, `the SHA-256 ${digest}`, "that of its name")];
  });
  return [...findings, ...contents.flat()];
}

const restoreFile =
  "Restore it from the bucket's versions or a backup, or push it to the host again and copy it here from there.";

const missing = (name: string) =>
  problem("lfs-file-missing", name, `${name} is missing: checkouts that need it fail.`, restoreFile);

const altered = (file: LargeFile, found: string, recorded: string) => {
  const name = largeFileName(file);
  const message = `${name} is not what was stored: it has ${found} instead of ${recorded}.`;
  return problem("lfs-file-altered", name, message, restoreFile);
};

const namesShown = 5;

function neverCame(files: readonly LargeFile[]): Finding {
  const [first] = files;
  const names = files.slice(0, namesShown).map(({ oid }) => oid);
  const more = files.length > namesShown ? ` and ${files.length - namesShown} more` : "";
  return note(
    "lfs-missing",
    first ? largeFileName(first) : "",
    `The mirror lacks large files (LFS), which the host did not send: ${names.join(", ")}${more}.`,
    "Push them to the host again (git lfs push --all): each run asks for them.",
  );
}
