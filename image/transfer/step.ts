import type { RecordText } from "../chain/record-texts.ts";
import type { ObjectDetails } from "../stores/stores.ts";
import type { ChainName } from "./manifest.ts";

/** What an export or an import has carried. */
export interface DeltaFacts {
  readonly chain: ChainName;
  /** The number of the step that the delta continues from; null where it begins with the chain. */
  readonly since: number | null;
  /** The number of the last step, from which the next delta continues. */
  readonly until: number | null;
  /** The number of steps. */
  readonly steps: number;
  /** The number of packs, indexes, large files and diffs. */
  readonly files: number;
  /** The commit or state that the last step leads to; null without a step. */
  readonly to: string | null;
}

/** What a step's record names: a pack, its index, a large file, or a diff. */
export interface Payload {
  readonly name: string;
  /** null where the record does not know it, as for a diff whose commits were gone. */
  readonly bytes: number | null;
  readonly sha256: string | null;
  readonly details: ObjectDetails;
}

/** A complete step of either kind of chain, as far as its transfer needs it. */
export interface Step {
  readonly number: number;
  readonly to: string;
  /** Of the record. */
  readonly details: ObjectDetails;
  /** In the order in which to store it. */
  readonly payload: readonly Payload[];
}

/** A step of a delta. */
export interface DeltaStep extends RecordText {
  readonly step: Step;
}

/** Makes an error of what is wrong with a record. */
export type Broken = (problem: string) => Error;

/**
 * Checks records one after the other, from the first one on: each must follow the one before. Undefined for a step that is
 * claimed and not complete. @throws what `broken` makes
 */
export type Follow = (record: RecordText, broken: Broken) => Step | undefined;
