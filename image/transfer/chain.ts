import { createHash } from "node:crypto";
import { rowsPrefix } from "../chain/record.ts";
import type { RecordText } from "../chain/record-texts.ts";
import { StoreError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { listDiffs } from "../verify/read-chain.ts";
import { followDiffs } from "./diff-steps.ts";
import type { ChainName } from "./manifest.ts";
import { followMirror } from "./mirror-steps.ts";
import type { Follow } from "./step.ts";

/** Returns a check that begins at the beginning of a chain. */
export const openChain = (chain: ChainName): Follow => (chain === "mirror" ? followMirror() : followDiffs());

/** Returns which kind of chain a record is of. */
export function chainOf({ text }: RecordText): ChainName {
  try {
    return JSON.parse(text).payload === "mirror" ? "mirror" : "diffs";
  } catch {
    return "diffs";
  }
}

/** Returns the names of the packs, indexes and large files, or of the diffs that a place has. @throws StoreError */
export async function listPayload(objects: ObjectStore, chain: ChainName): Promise<ReadonlySet<string>> {
  const names = new Set<string>(chain === "diffs" ? (await listDiffs(objects)).keys() : []);
  for (const folder of chain === "diffs" ? [rowsPrefix] : ["objects/pack/", "lfs/objects/"])
    for await (const { name } of objects.list(folder)) names.add(name);
  return names;
}

/** The error of a place whose records, or what they name, are not what they were. */
export const damagedPlace = (address: string, problem: string) =>
  new StoreError(
    "chain-damaged",
    `${address} ${problem}.`,
    "Restore it from the bucket's versions; verify shows more.",
  );

export const sha256Of = (content: string | Uint8Array): string =>
  createHash("sha256").update(content).digest("hex");

/** Returns the size and the hash of an object. @throws StoreError */
export async function digestOf(
  objects: ObjectStore,
  name: string,
): Promise<{ bytes: number; sha256: string }> {
  const hash = createHash("sha256");
  let bytes = 0;
  for await (const chunk of objects.read(name)) {
    hash.update(chunk);
    bytes += chunk.length;
  }
  return { bytes, sha256: hash.digest("hex") };
}
