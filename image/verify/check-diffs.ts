import { createHash } from "node:crypto";
import { type CompleteStep, recordName } from "../chain/record.ts";
import { inParallel } from "../lib/parallel.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { type Finding, isProblem, note, problem, restore } from "./finding.ts";
import { type OnProgress, readsAtOnce } from "./read-chain.ts";

/**
 * Checks every step's diff, byte for byte.
 * @param sizes of all stored diffs, by name
 * @returns the findings, and the names of the sound diffs
 * @throws StoreError
 */
export async function checkDiffs(
  objects: ObjectStore,
  steps: readonly CompleteStep[],
  sizes: ReadonlyMap<string, number>,
  onProgress: OnProgress,
): Promise<{ findings: Finding[]; sound: ReadonlySet<string> }> {
  const stepsOf = Map.groupBy(
    steps.filter(({ diff }) => diff !== null),
    ({ diff }) => diff as string,
  );
  const sound = new Set<string>();
  let checked = 0;
  const findings = await inParallel([...stepsOf], readsAtOnce, async ([name, steps]) => {
    const shared = checkShared(name, steps);
    // Where the steps' contents differ, all but one are wrong already.
    const altered =
      shared && isProblem(shared) ? undefined : await checkDiff(objects, name, steps[0], sizes.get(name));
    const found = [shared, altered].filter((finding) => finding !== undefined);
    if (!found.some(isProblem)) sound.add(name);
    onProgress(`Checking diffs: ${++checked} of ${stepsOf.size}`);
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
  const diff = `${name}, the diff of ${recordName(number)},`;
  if (size === undefined) {
    return problem(
      "diff-missing",
      name,
      `${diff} is missing: the changes of that step are unknown.`,
      restore,
    );
  }
  const altered = (difference: string) =>
    problem("diff-altered", name, `${diff} is not what was stored: ${difference}.`, restore);
  if (bytes !== null && size !== bytes) return altered(`it has ${size} bytes instead of ${bytes}`);
  if (sha256 === null) return undefined;
  const hash = createHash("sha256");
  for await (const chunk of objects.read(name)) hash.update(chunk);
  const digest = hash.digest("hex");
  return digest === sha256 ? undefined : altered(`its SHA-256 is ${digest} instead of ${sha256}`);
}

/** Checks a diff that several steps name. A change that is undone and made again within a minute is one object. */
function checkShared(name: string, [first, ...others]: readonly CompleteStep[]): Finding | undefined {
  if (first === undefined || others.length === 0) return undefined;
  const records = [first, ...others].map(({ number }) => recordName(number)).join(" and ");
  const same = others.every(
    ({ from, to, sha256 }) => from === first.from && to === first.to && sha256 === first.sha256,
  );
  if (!same) {
    const message = `${records} name the same diff ${name}, but record different contents: it can be the diff of one of them only.`;
    return problem("overlap", name, message, restore);
  }
  const message = `${records} are the same change, and share the diff ${name}.`;
  return note("diff-shared", name, message, "Nothing. The diff counts once for each of them.");
}
