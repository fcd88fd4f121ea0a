import { z } from "zod";
import { isDiffName, isRecordName, isRowsName } from "../chain/record.ts";
import { isLargeFileName } from "../lfs/pointer.ts";
import { StoreError } from "../lib/errors.ts";

/** The kinds of chains. */
export type ChainName = "mirror" | "diffs";

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

/** The only names that a delta may contain, so that it writes nothing else. */
const isNameOf: Record<ChainName, (name: string) => boolean> = {
  mirror: (name) =>
    isRecordName(name) ||
    /^objects\/pack\/pack-[0-9a-f]{40}\.(pack|idx)$/.test(name) ||
    isLargeFileName(name),
  diffs: (name) => isRecordName(name) || isDiffName(name) || isRowsName(name),
};

const schema = z
  .strictObject({
    format: z.literal("git-diff-to-s3 delta"),
    version: z.literal(1),
    chain: z.enum(["mirror", "diffs"]),
    /** The record that the delta continues from; null where it begins with the chain. */
    since: z
      .strictObject({ name: z.string().refine(isRecordName, "it is no record's name"), sha256 })
      .nullable(),
    /** All files, in their order: first the records, then what they name. */
    files: z.array(
      z.strictObject({ name: z.string(), bytes: z.number().int().nonnegative(), sha256 }).readonly(),
    ),
  })
  .superRefine(({ chain, since, files }, context) => {
    const refuse = (name: string, problem: string) =>
      context.addIssue({ code: "custom", message: `the file ${JSON.stringify(name)} ${problem}` });
    const names = new Set<string>();
    let [last, isPayload] = [since?.name ?? "", false];
    for (const { name } of files) {
      if (!isNameOf[chain](name)) return refuse(name.slice(0, 200), `does not belong to a chain of ${chain}`);
      if (names.has(name)) return refuse(name, "is there twice");
      names.add(name);
      if (!isRecordName(name)) isPayload = true;
      else if (isPayload || name <= last) return refuse(name, "is not in the order of records");
      else last = name;
    }
  });

/** What a delta contains, and what it continues from. */
export type Manifest = z.infer<typeof schema>;
export type DeltaFile = Manifest["files"][number];

export const manifestName = "manifest.json";

/** Enough for hundreds of thousands of files. An import has it in memory, as it has the records. */
export const largestTextBytes = 64 * 1024 ** 2;

/** Parses a manifest. @throws StoreError */
export function parseManifest(text: string): Manifest {
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const issues = (error as { issues?: { path: PropertyKey[]; message: string }[] }).issues;
    const [first] = issues ?? [];
    const reason = first ? [first.path.join("."), first.message].filter(Boolean).join(": ") : "it is no JSON";
    throw noDelta(`${manifestName} is no manifest of this version (${reason})`);
  }
}

export const noDelta = (problem: string) =>
  new StoreError(
    "delta-invalid",
    `This is no delta that can be imported: ${problem}.`,
    "Nothing was imported. Give a file that export has written; a newer export needs a newer version here too.",
  );
