import { type AttributesFile, findAttributes, mailmapName, writeAttributes } from "../git/attributes.ts";
import { type Commit, readCommits } from "../git/commits.ts";
import { type ObjectReader, openObjectReader } from "../git/objects.ts";
import { GitError, isRefusal } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import { settleAll } from "../lib/settle.ts";
import { fetchFiles, listNeededFiles } from "./fetch-files.ts";
import { fetchHistory, type History, singleCommit } from "./history.ts";
import type { Attempt, Source } from "./source.ts";
import { type Ends, fetchEnds, isApplicable, type Strategy, strategies } from "./strategies.ts";

export interface Fetched {
  readonly strategy: Strategy;
  /** The size of all packs in bytes, those of refused attempts included. */
  readonly packBytes: number;
  /** How `to` follows from `from`; undefined for a baseline, or where the host cannot send it. */
  readonly history: History | undefined;
  readonly fromTree: string;
  readonly toTree: string;
  /** The `.mailmap` of `to`, the proper names of people, where the source asks for it. */
  readonly mailmap: string | undefined;
}

/** The result of one attempt. `idsRefused`: another request for these ids would be refused again. */
type Result =
  | { readonly result: "fetched"; readonly fetched: Omit<Fetched, "packBytes"> }
  | { readonly result: "missing"; readonly toIsHere: boolean }
  | { readonly result: "lost"; readonly lost: "from" | "to" }
  | { readonly result: "refused"; readonly error: GitError; readonly idsRefused: boolean };

/**
 * Fetches what the diff from `from` to `to` needs into the scratch repository; without `from`, `to` alone. Tries the
 * strategies in their order until the host allows one: hosts differ, and change.
 * @returns "gone" where the host no longer has `from`
 * @throws GitError, LimitError
 */
export async function fetchStep(source: Source, ends: Ends): Promise<Fetched | "gone"> {
  let packBytes = 0;
  const onPack = (bytes: number) => {
    packBytes += bytes;
  };
  const features = await source.connection.features();
  let idsRefused = false;
  let last: Result | undefined;
  for (const strategy of strategies) {
    if (!isApplicable(strategy, features, ends)) continue;
    if (strategy === "shallow" && idsRefused && ends.from !== undefined) continue;
    await source.scratch.reset();
    await using objects = openObjectReader(source.scratch);
    last = await tryStrategy({ ...source, objects, onPack }, strategy, ends);
    if (last.result === "fetched") return { ...last.fetched, packBytes };
    if (last.result === "lost") return goneOrThrow(last.lost);
    idsRefused ||= last.result === "refused" && last.idsRefused;
  }
  if (last?.result === "refused") throw last.error;
  return goneOrThrow(last?.result === "missing" && last.toIsHere ? "from" : "to");
}

async function tryStrategy(attempt: Attempt, strategy: Strategy, ends: Ends): Promise<Result> {
  const { from, to } = ends;
  try {
    const reached = await fetchEnds[strategy](attempt, ends);
    const commits = await readCommits(attempt.objects, from === undefined ? [to] : [from, to]);
    const [before, after] = [from, to].map((wanted) => commits.find(({ id }) => id === wanted));
    if (after === undefined || (from !== undefined && before === undefined)) {
      return { result: "missing", toIsHere: after !== undefined };
    }
    const { scratch, objects } = attempt;
    const also = attempt.mailmap ? [mailmapName] : [];
    const { ids, attributes } =
      before && reached === "blobless"
        ? await listNeededFiles(scratch, before.id, to, also)
        : { ids: undefined, attributes: await findAttributes(scratch, to, also) };
    // The files first: they take longest.
    const [, history] = await settleAll(
      ids && fetchFiles(attempt, ids),
      before && historyOf(attempt, before, after),
    );
    const isMailmap = ({ path }: AttributesFile) => path === mailmapName;
    await writeAttributes(
      scratch,
      objects,
      attributes.filter((file) => !isMailmap(file)),
    );
    const mailmap = attributes.find(isMailmap);
    return {
      result: "fetched",
      fetched: {
        strategy: reached,
        history,
        fromTree: before?.tree ?? emptyTree,
        toTree: after.tree,
        mailmap: mailmap && (await readText(objects, mailmap.id)),
      },
    };
  } catch (error) {
    if (!isRefusal(error)) throw error;
    return classify(error, ends, (await attempt.connection.features()).anyObject);
  }
}

/** No honest one is larger. It has to be in memory. */
const largestMailmap = 4 * 1024 * 1024;

/** Undefined where the file is too large, or was not sent. */
async function readText(objects: ObjectReader, id: string): Promise<string | undefined> {
  const [info] = await objects.info([id]);
  if (info === undefined || info.bytes > largestMailmap) return undefined;
  for await (const { content } of objects.contents([id]))
    return Buffer.concat(await Array.fromAsync(content)).toString();
}

/** What git-upload-pack says where its repository lacks an object. */
const corruption = /repository corruption/;

/** Classifies a refusal. @throws GitError where the host's repository is damaged: no other strategy can succeed then */
function classify(error: GitError, { from, to }: Ends, servesAnyObject: boolean): Result {
  const missing = /not our ref ([0-9a-f]{40})/.exec(error.message)?.[1];
  const isEnd = missing !== undefined && (missing === from || missing === to);
  if (isEnd && servesAnyObject) return { result: "lost", lost: missing === to ? "to" : "from" };
  if ((missing !== undefined && !isEnd && servesAnyObject) || corruption.test(error.message)) {
    throw damaged(error, missing);
  }
  return { result: "refused", error, idsRefused: isEnd || /unadvertised/.test(error.message) };
}

/** Undefined where the host lacks an object of a commit in between, which the diff does without. */
async function historyOf(attempt: Attempt, from: Commit, to: Commit): Promise<History | undefined> {
  try {
    return singleCommit(from, to) ?? (await fetchHistory(attempt, from.id, to.id));
  } catch (error) {
    if (isRefusal(error) && corruption.test(error.message)) return undefined;
    throw error;
  }
}

/** Returns "gone" for a lost `from`. Without `to` there is nothing to do in this run. */
function goneOrThrow(lost: "from" | "to"): "gone" {
  if (lost === "from") return "gone";
  throw new GitError(
    "head-moved",
    "The branch moved during the fetch, and its former commit is gone from the host.",
    "The next run takes the branch as it is then.",
  );
}

const damaged = (error: GitError, missing: string | undefined) =>
  new GitError(
    "host-damaged",
    `The repository is damaged on its host: ${missing ? `it lacks the object ${missing}, which a commit of the branch needs` : error.message}`,
    "Have the host's repository repaired (git fsck shows what is missing). The next run takes the branch as it is then.",
    { cause: error },
  );
