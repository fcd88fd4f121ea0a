import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { decide } from "../chain/decide.ts";
import type { Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { streamDiff } from "../diff/diff.ts";
import { openFetcher } from "../fetch/fetcher.ts";
import { readHead } from "../fetch/head.ts";
import { makeScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository, readGitVersion } from "../git/scratch-repository.ts";
import { openConnection } from "../host/connection.ts";
import type { Stores } from "../stores/stores.ts";
import { act, lookAgain } from "./act.ts";
import type { Context } from "./context.ts";
import { type Look, observe, toView } from "./observe.ts";
import type { CollectedStep, Outcome } from "./outcome.ts";

/**
 * Collects one repository, step by step from the end of its chain to the head of its branch.
 * @throws GitError, CursorError, StoreError, LimitError
 */
export async function collect(
  { location, branch, credentials }: Repository,
  stores: Stores,
  settings: Settings,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Promise<Outcome> {
  await using folder = await makeScratchFolder();
  const connection = openConnection(location, credentials, folder.path, signal, onProgress);
  const scratch = openScratchRepository(join(folder.path, "repository.git"), signal);
  const fetcher = openFetcher({ connection, scratch });
  try {
    await scratch.reset();
    // This takes about as long as the read of the cursor that follows.
    connection.open();
    return await collectSteps({
      stores,
      settings,
      steps: {
        readHead: () => readHead(connection, branch),
        prefetch: fetcher.prefetch,
        stopPrefetch: fetcher.stop,
        fetch: fetcher.fetch,
        diff: (from, to, binary) => streamDiff(scratch, from, to, binary),
        gitVersion: () => readGitVersion(folder.path, signal),
      },
      url: location.url,
      owner: randomUUID(),
      onProgress,
      now: Date.now,
    });
  } finally {
    await fetcher.stop();
    connection.close();
  }
}

/** Other runs may change the chain between two turns, but hardly so often. */
const maxTurns = 100;

async function collectSteps(context: Context): Promise<Outcome> {
  const steps: CollectedStep[] = [];
  let look: Look = "quick";
  for (let turn = 0; turn < maxTurns; turn++) {
    const seen = await observe(context, look);
    if (seen === "empty") return { status: "empty" };
    const { step, ...then } =
      seen === "changed" ? lookAgain : await act(context, seen, decide(toView(context, seen)));
    if (step) steps.push(step);
    if ("end" in then) return steps.length > 0 ? { status: "collected", steps } : then.end;
    look = then.next;
  }
  throw new Error("Other runs keep changing the chain of steps.");
}
