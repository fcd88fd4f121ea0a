import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import packageFile from "../package.json" with { type: "json" };
import { type Contents, count, openDiff } from "./diff.ts";
import type { Bounds, Repository } from "./environment.ts";
import { GitError } from "./errors.ts";
import { fetchStep } from "./fetch.ts";
import { openRemote, type Remote, readHead } from "./remote.ts";
import { makeRecord, makeStep, type Step } from "./step.ts";
import type { ObjectStore, Stores } from "./stores.ts";
import { together } from "./together.ts";

/** What became of one repository. */
export type Outcome =
  | { readonly status: "unchanged"; readonly commit: string }
  /** The repository has no commit yet. */
  | { readonly status: "empty" }
  | {
      readonly status: "collected";
      readonly record: ReturnType<typeof makeRecord>;
      readonly place: string | undefined;
    };

/**
 * Collects one repository: claims the step from the cursor to the remote's head, fetches it, stores its diff,
 * completes its record and moves the cursor. The cursor moves last, so whatever fails before is done again.
 * @throws GitError, CursorError, StoreError, LimitError
 */
export async function collect(
  repository: Repository,
  stores: Stores,
  bounds: Bounds,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  const scratch = await mkdtemp(join(tmpdir(), "git-diff-"));
  const remote = openRemote(repository, join(scratch, "repository.git"), signal, onProgress);
  try {
    return await collectInto(remote, repository, stores, bounds, onProgress);
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
}

async function collectInto(
  remote: Remote,
  repository: Repository,
  stores: Stores,
  bounds: Bounds,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  const started = new Date();
  await remote.reset();
  const [cursor, head, gitVersion] = await together(
    stores.cursor.read(),
    readHead(remote, repository.branch),
    remote.run(["version"]),
  );
  if (head === undefined) return { status: "empty" };
  if (head.commit === cursor?.commit) return { status: "unchanged", commit: head.commit };

  // Claim. The step is named before anything is fetched.
  let step = makeStep(cursor ? "change" : "baseline", cursor?.commit, head.commit, bounds.scheduledTime);

  // Fetch.
  let fetched = await fetchStep(remote, head, cursor?.commit);
  if (fetched === "gone") {
    if (bounds.onGoneCommit === "fail") throw gone(step);
    step = makeStep("restarted", undefined, head.commit, bounds.scheduledTime);
    fetched = await fetchStep(remote, head, undefined);
    if (fetched === "gone") throw gone(step);
  } else if (fetched.history?.descends === false) {
    step = makeStep("rewritten", step.from, step.to, bounds.scheduledTime);
  }

  // Store. The object appears only once git has ended well; a crash from here on stores the same bytes again.
  const contents = await storeDiff(remote, stores.objects, step, bounds.maxDiffBytes, onProgress);

  // Complete.
  const record = makeRecord({ url: repository.location.url, ref: head.ref }, step, fetched, contents, {
    gitVersion: gitVersion.trim().replace(/^git version /, ""),
    workerVersion: packageFile.version,
    scheduled: bounds.scheduledTime,
    started,
    finished: new Date(),
  });
  await stores.objects.put(`_steps/${step.name}.json`, one(`${JSON.stringify(record)}\n`), {
    contentType: "application/json",
    metadata: metadataOf(step),
  });

  // Move. Whoever moved the cursor meanwhile is not overwritten.
  await stores.cursor.move(cursor, head.commit);
  return {
    status: "collected",
    record,
    place: record.diff === null ? undefined : stores.objects.place(record.diff),
  };
}

async function storeDiff(
  remote: Remote,
  objects: ObjectStore,
  step: Step,
  maxBytes: number,
  onProgress: (line: string) => void,
): Promise<Contents> {
  const contents: Contents = {
    bytes: 0,
    sha256: "",
    files: 0,
    binaryFiles: 0,
    linesAdded: 0,
    linesRemoved: 0,
  };
  const diff = count(openDiff(remote, step.from, step.to), contents, maxBytes);
  // Commits that change nothing in sum, a change and its revert say, have no diff: nothing is stored for them.
  const first = await diff.next();
  if (first.done) return contents;
  const whole = (async function* () {
    try {
      yield first.value;
      for await (const chunk of diff) {
        onProgress(`Storing diff: ${(contents.bytes / 1024 ** 2).toFixed(1)} MiB`);
        yield chunk;
      }
    } finally {
      await diff.return();
    }
  })();
  await objects.put(`${step.name}.diff`, whole, {
    contentType: "text/x-diff",
    metadata: metadataOf(step),
  });
  return contents;
}

const metadataOf = ({ from, to, kind }: Step) => ({ from, to, kind });

async function* one(text: string): AsyncGenerator<Uint8Array> {
  yield new TextEncoder().encode(text);
}

const gone = ({ from }: Step) =>
  new GitError(
    "commit-gone",
    `The last collected commit ${from} cannot be had from the host any more: history was rewritten.`,
    "Set ON_GONE_COMMIT to baseline to start again from a baseline, or set the cursor to a commit that is there.",
  );
