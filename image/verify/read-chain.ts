import { createHash } from "node:crypto";
import { type CompleteStep, parseStep, recordName } from "../chain/record.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, note, problem, restore } from "./finding.ts";
import type { Stored } from "./follow-chain.ts";

/** S3 answers many as quickly as one, and the SDK has 50 connections; each holds no more than a chunk in memory. */
const atOnce = 48;

type Progress = (line: string) => void;

/** All records, by name, those that cannot be read included. @throws StoreError */
export async function readRecords(
  objects: ObjectStore,
  onProgress: Progress,
  wanted: (name: string) => boolean = () => true,
): Promise<Stored[]> {
  const names: string[] = [];
  for await (const { name } of objects.list("_steps/")) {
    if (/^_steps\/\d{10}\.json$/.test(name) && wanted(name)) names.push(name);
  }
  let read = 0;
  return inParallel(names.sort(), atOnce, async (name): Promise<Stored> => {
    const object = await objects.get(name);
    onProgress(`Reading records: ${++read} of ${names.length}`);
    try {
      if (object === undefined) return { name, record: undefined, why: "it is gone" };
      return { name, record: parseStep(object.text) };
    } catch (error) {
      return { name, record: undefined, why: reason(error as Error) };
    }
  });
}

/** zod says what is wrong with each field, everything else in one sentence. */
function reason(error: Error & { issues?: { path: PropertyKey[]; message: string }[] }): string {
  const said = error.issues?.map(({ path, message }) => `${path.join(".")}: ${message}`).join("; ");
  return (said ?? error.message).replace(/\s+/g, " ").slice(0, 200);
}

/** The diffs in the place, with their sizes. @throws StoreError */
export async function listDiffs(objects: ObjectStore): Promise<Map<string, number>> {
  const diffs = new Map<string, number>();
  // A diff's name begins with its year, and everything else in the place need not be listed.
  for (const century of ["1", "2"]) {
    for await (const { name, bytes } of objects.list(century)) {
      if (/^\d{4}-\d\d-\d\d-\d{4}_[0-9a-f]{7}-[0-9a-f]{7}\.diff$/.test(name)) diffs.set(name, bytes);
    }
  }
  return diffs;
}

/** Checks that the diff of every step is there, byte for byte. @throws StoreError */
export async function checkDiffs(
  objects: ObjectStore,
  steps: readonly CompleteStep[],
  there: ReadonlyMap<string, number>,
  onProgress: Progress,
): Promise<{ findings: Finding[]; sound: ReadonlySet<string> }> {
  const named = Map.groupBy(
    steps.filter(({ diff }) => diff !== null),
    ({ diff }) => diff as string,
  );
  const sound = new Set<string>();
  let checked = 0;
  const findings = await inParallel([...named], atOnce, async ([name, all]) => {
    const shared = checkShared(name, all);
    // Where several steps claim different content, all but one are wrong, and that is told.
    const altered =
      shared?.level === "problem" ? undefined : await checkDiff(objects, name, all[0], there.get(name));
    const found = [shared, altered].filter((finding) => finding !== undefined);
    if (found.every(({ level }) => level === "note")) sound.add(name);
    onProgress(`Checking diffs: ${++checked} of ${named.size}`);
    return found;
  });
  return { findings: findings.flat(), sound };
}

async function checkDiff(
  objects: ObjectStore,
  name: string,
  step: CompleteStep | undefined,
  size: number | undefined,
): Promise<Finding | undefined> {
  if (step === undefined) return undefined;
  const { number, bytes, sha256 } = step;
  const whose = `the diff of ${recordName(number)}`;
  if (size === undefined) {
    const message = `${name}, ${whose}, is missing: what changed in that step is not known.`;
    return problem("diff-missing", name, message, restore);
  }
  const altered = (how: string) =>
    problem("diff-altered", name, `${name}, ${whose}, is not what was stored: ${how}.`, restore);
  if (bytes !== null && size !== bytes) return altered(`it has ${size} bytes instead of ${bytes}`);
  if (sha256 === null) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of objects.read(name)) hash.update(chunk);
  const digest = hash.digest("hex");
  return digest === sha256 ? undefined : altered(`its SHA-256 is ${digest} instead of ${sha256}`);
}

/** Back and forth within a minute gives the same change twice, and so one object for two steps. */
function checkShared(name: string, [first, ...others]: readonly CompleteStep[]): Finding | undefined {
  if (first === undefined || others.length === 0) return undefined;
  const records = [first, ...others].map(({ number }) => recordName(number)).join(" and ");
  const same = others.every(
    ({ from, to, sha256 }) => from === first.from && to === first.to && sha256 === first.sha256,
  );
  if (!same) {
    const message = `${records} have the same diff ${name}, but not the same content: all but one of them are overwritten.`;
    return problem("overlap", name, message, restore);
  }
  const message = `${records} are the same change, and share the diff ${name}.`;
  return note("diff-shared", name, message, "Nothing; it counts once for each of them.");
}
