import { readFile } from "node:fs/promises";
import packageFile from "../../package.json" with { type: "json" };
import type { Claim } from "../chain/claim.ts";
import { indexPack, type StoredPack } from "../git/index-pack.ts";
import { openIndex } from "../git/pack-index.ts";
import { GitError } from "../lib/errors.ts";
import { settleAll } from "../lib/settle.ts";
import { incomplete, proveClosure, readIndex } from "./closure.ts";
import { choosePacks, mergePacks, sizesOf } from "./consolidate.ts";
import type { MirrorContext } from "./context.ts";
import type { ClaimedMirrorStep, CompleteMirrorStep } from "./record.ts";
import type { State } from "./state.ts";
import { storePack } from "./store-pack.ts";

/** A host reads each of these ids in every request. */
const mostHaves = 1_000;

/**
 * Fetches the objects of a claimed step, proves that nothing is missing, stores them, and completes the record.
 * @param before the state that is published
 * @param packs the packs that are published, newest first
 * @throws GitError, StoreError, LimitError; all of them free the step for the next run
 */
export async function performStep(
  context: MirrorContext,
  claim: Claim<ClaimedMirrorStep>,
  before: State,
  packs: readonly string[],
): Promise<CompleteMirrorStep> {
  try {
    const { pack, replaces } = await fetchAndStore(context, claim.record, before, packs);
    const rest = packs.filter((name) => !replaces.includes(name));
    const { record } = await claim.complete<CompleteMirrorStep>({
      ...claim.record,
      state: "complete",
      pack,
      replaces,
      packs: pack ? [pack.name, ...rest] : rest,
      gitVersion: await context.gitVersion(),
      workerVersion: packageFile.version,
      started: claim.record.claimed,
      finished: new Date().toISOString(),
    });
    return record;
  } catch (error) {
    await claim.release();
    throw error;
  }
}

const nothingNew = { pack: null, replaces: [] };

async function fetchAndStore(
  context: MirrorContext,
  record: ClaimedMirrorStep,
  before: State,
  packs: readonly string[],
): Promise<Pick<CompleteMirrorStep, "pack" | "replaces">> {
  const here = new Set(before.refs.map(({ id }) => id));
  const wanted = [...new Set(record.refs.flatMap(([, , id]) => id ?? []))].filter((id) => !here.has(id));
  if (wanted.length === 0) return nothingNew;
  const changed = new Set(record.refs.flatMap(([, id]) => id ?? []));
  const haves = [...new Set([...changed, ...here])].slice(0, mostHaves);
  const scratch = await context.openScratch();
  const answer = context.connection.fetch({ want: wanted, have: haves }, scratch.signal);
  answer.catch(() => {}); // Thrown below.
  const content = (async function* () {
    yield* (await answer).pack;
  })();
  const { settings, onProgress, objects } = context;
  // Without anything here, git itself proves that all is connected.
  const checks = packs.length === 0 ? ["--check-self-contained-and-connected"] : [];
  const [stored, earlier] = await settleAll(
    indexPack(content, scratch, settings.maxPackBytes, onProgress, checks).catch(disconnected),
    settleAll(...packs.map((name) => readIndex(objects, name))),
  );
  const index = openIndex(await readFile(stored.index));
  if (packs.length > 0) await proveClosure(scratch, index, earlier, wanted);
  else for (const id of wanted) if (!index.has(id)) throw incomplete(id);
  if (index.count === 0) return nothingNew;
  const replaces = choosePacks(await sizesOf(objects, packs), stored.bytes);
  if (replaces.length === 0) return { pack: await storePack(objects, stored, index, onProgress), replaces };
  const merged = await mergePacks(objects, scratch, stored, replaces);
  return {
    pack: await storePack(objects, merged, openIndex(await readFile(merged.index)), onProgress),
    replaces,
  };
}

/** git exits with 1 and no word where the pack is not connected. */
function disconnected(error: unknown): StoredPack {
  if (!(error instanceof GitError) || error.code !== "git-failed") throw error;
  throw new GitError(
    "pack-incomplete",
    `The host's answer lacks an object that another one needs (${error.message})`,
    "Nothing was published. The next run asks again; if it lasts, have the host's repository repaired (git fsck).",
    { cause: error },
  );
}
