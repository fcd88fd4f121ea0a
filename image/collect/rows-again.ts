import { join } from "node:path";
import type { CompleteStep } from "../chain/record.ts";
import type { Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { lineReader } from "../diff/sections.ts";
import { connect, type Network } from "../fetch/connect.ts";
import { type Fetched, fetchStep } from "../fetch/fetch-step.ts";
import type { Source } from "../fetch/source.ts";
import { makeScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository } from "../git/scratch-repository.ts";
import { waitOutPauses } from "../host/wait-out-pauses.ts";
import { GitError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import type { RowSettings } from "../lib/row-settings.ts";
import { folderObjects } from "../stores/folder.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { gatherRows } from "../tables/gather-rows.ts";
import { readRows, type StepRows } from "../tables/rows-file.ts";

/**
 * Makes the rows of a step that was collected without any: from its stored diff, and from its commits and attributes,
 * which are fetched again.
 * @returns undefined where the host no longer has them
 * @throws GitError, StoreError, LimitError
 */
export async function makeRowsAgain(
  { location, credentials }: Repository,
  objects: ObjectStore,
  { number, from, to, diff }: CompleteStep,
  settings: Settings,
  network: Network & { readonly rows: RowSettings },
  signal: AbortSignal,
): Promise<AsyncIterable<StepRows> | undefined> {
  await using made = new AsyncDisposableStack();
  const folder = made.use(await makeScratchFolder());
  const source: Source = {
    connection: connect(location, credentials, network, signal, undefined),
    scratch: openScratchRepository(join(folder.path, "repository.git"), signal),
    maxPackBytes: settings.maxPackBytes,
    mailmap: true,
    onProgress: undefined,
  };
  const ends = { from: from === emptyTree ? undefined : from, to };
  const fetched = await waitOutPauses(signal, () => fetchStep(source, ends)).catch(goneOrThrow);
  if (fetched === "gone") return undefined;
  const rows = gatherRows(source.scratch, network.rows, join(folder.path, "rows"));
  if (diff !== null) {
    const read = lineReader(rows.lines);
    for await (const chunk of objects.read(diff)) {
      read(chunk);
      await rows.flush();
    }
  }
  const here = folderObjects(folder.path);
  const facts = await rows.store(here, number, {
    commits: fetched.history?.contents(),
    mailmap: fetched.mailmap,
  });
  const kept = made.move();
  return (async function* () {
    await using _ = kept;
    yield* readRows(here, facts);
  })();
}

/** The codes of a host that answers, and has not what was asked for. */
const gone: readonly string[] = ["git-not-found", "git-refused", "head-moved"];

function goneOrThrow(error: unknown): Fetched | "gone" {
  if (error instanceof GitError && gone.includes(error.code)) return "gone";
  throw error;
}
