import { z } from "zod";
import { objectIdPattern } from "../lib/object-id.ts";

const objectId = z.string().regex(objectIdPattern);
const sha256 = z.string().regex(/^[0-9a-f]{64}$/);

const claim = {
  schemaVersion: z.literal(1),
  payload: z.literal("mirror"),
  number: z.number().int().positive(),
  repository: z.string(),
  kind: z.enum(["baseline", "change"]),
  /** The id of the state before, or the empty tree's. */
  from: objectId,
  to: objectId,
  /** What HEAD contains after the step. */
  head: z.string(),
  /** What changed, by name: [name, old id, new id, what the new one leads to]. */
  refs: z
    .array(z.tuple([z.string(), objectId.nullable(), objectId.nullable(), objectId.nullable()]).readonly())
    .readonly(),
  /** Name of the record before. */
  previous: z.string().nullable(),
  /** SHA-256 of that record's bytes: the records are a chain that cannot be changed anywhere without a trace. */
  before: sha256.nullable(),
  owner: z.string(),
  claimed: z.iso.datetime(),
  leaseSeconds: z.number().int().positive(),
};

const pack = z.object({
  /** `pack-<id>`, without the ending of its two files. */
  name: z.string().regex(/^pack-[0-9a-f]{40}$/),
  bytes: z.number().int(),
  sha256,
  objects: z.number().int(),
  indexBytes: z.number().int(),
  indexSha256: sha256,
});

const largeFile = z.object({
  /** SHA-256 of its content. */
  oid: sha256,
  bytes: z.number().int(),
});

const facts = {
  /** The objects that are new; null where there are none, as after the deletion of a branch. */
  pack: pack.nullable(),
  /** The packs that this one contains too. */
  replaces: z.array(z.string()),
  /** The packs to read after the step, newest first. */
  packs: z.array(z.string()),
  /** The refs that the host did not send, which are as they were before. */
  refused: z.array(z.string()).optional(),
  /** The refs whose new value does not descend from the old one, and all moved tags. */
  rewritten: z.array(z.string()).optional(),
  /** The refs of which that was too much to find out. */
  undecided: z.array(z.string()).optional(),
  /** The large files (LFS) that the mirror has since this step. */
  lfs: z.array(largeFile).optional(),
  /** Those to which blobs point, and which the mirror lacks after the step. */
  lfsMissing: z.array(largeFile).optional(),
  /** The id of the state without archived refs, where it has any. */
  live: objectId.optional(),
  gitVersion: z.string(),
  workerVersion: z.string(),
  started: z.iso.datetime(),
  finished: z.iso.datetime(),
};

const recordSchema = z.discriminatedUnion("state", [
  z.object({ state: z.literal("claimed"), ...claim }),
  z.object({ state: z.literal("complete"), ...claim, ...facts }),
]);

/** One step of a mirror, claimed or complete. See docs/mirror.md. */
export type MirrorRecord = z.infer<typeof recordSchema>;
export type ClaimedMirrorStep = Extract<MirrorRecord, { state: "claimed" }>;
export type CompleteMirrorStep = Extract<MirrorRecord, { state: "complete" }>;
export type MirrorPack = z.infer<typeof pack>;

/** Parses a record. @throws SyntaxError or ZodError if it is none of this version */
export const parseMirrorRecord = (text: string): MirrorRecord => recordSchema.parse(JSON.parse(text));
