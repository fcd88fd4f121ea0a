import { randomUUID } from "node:crypto";
import { join } from "node:path";
import { decide } from "../chain/decide.ts";
import type { Repository } from "../config/repository.ts";
import type { Settings } from "../config/settings.ts";
import { countBinaryFiles, streamDiff } from "../diff/diff.ts";
import { connect, type Network } from "../fetch/connect.ts";
import { openFetcher } from "../fetch/fetcher.ts";
import { readHead } from "../fetch/head.ts";
import type { Source } from "../fetch/source.ts";
import { canonicalTree } from "../git/canonical-tree.ts";
import { makeScratchFolder, type ScratchFolder } from "../git/scratch-folder.ts";
import { openScratchRepository } from "../git/scratch-repository.ts";
import { processName } from "../lib/process-name.ts";
import type { RowSettings } from "../lib/row-settings.ts";
import type { Stores } from "../stores/stores.ts";
import { gatherRows } from "../tables/gather-rows.ts";
import { act, lookAgain } from "./act.ts";
import type { Context } from "./context.ts";
import { type Look, observe, toView } from "./observe.ts";
import type { CollectedStep, Outcome } from "./outcome.ts";

/** What all repositories of a run share. */
export interface Services extends Network {
  /** Returns git's version. @throws GitError */
  readonly gitVersion: () => Promise<string>;
  /** Returns whether a process of this name has surely ended. */
  readonly isGone: (processName: string) => boolean;
  /** How the rows of tables are made; undefined where there are none. */
  readonly rows?: RowSettings | undefined;
}

/**
 * Collects one repository, step by step from the end of its chain to the head of its branch.
 * @throws GitError, CursorError, StoreError, LimitError; HostPaused where its host has asked for a pause
 */
export async function collect(
  { location, branch, credentials }: Repository,
  stores: Stores,
  settings: Settings,
  services: Services,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Promise<Outcome> {
  const { rows } = services;
  const connection = connect(location, credentials, services, signal, onProgress);
  let folder: Promise<ScratchFolder> | undefined;
  const openSource = async (): Promise<Source> => {
    // Only once there is something to fetch: most repositories are unchanged.
    folder ??= makeScratchFolder();
    const scratch = openScratchRepository(join((await folder).path, "repository.git"), signal);
    return {
      connection,
      scratch,
      maxPackBytes: settings.maxPackBytes,
      mailmap: rows !== undefined,
      onProgress,
    };
  };
  const fetcher = openFetcher(openSource);
  try {
    return await collectSteps({
      stores,
      settings,
      steps: {
        readHead: () => readHead(connection, branch),
        prefetch: fetcher.prefetch,
        stopPrefetch: fetcher.stop,
        fetch: fetcher.fetch,
        async *diff(from, to, binary) {
          const { scratch } = await openSource();
          yield* streamDiff(scratch, from, to, binary);
        },
        countBinaryFiles: async (from, to) => countBinaryFiles((await openSource()).scratch, from, to),
        canonicalTree: async (tree) => canonicalTree((await openSource()).scratch, tree),
        ...(rows && {
          async gatherRows() {
            const { scratch } = await openSource();
            return gatherRows(scratch, rows, `${scratch.directory}/rows`);
          },
        }),
        gitVersion: services.gitVersion,
      },
      url: location.url,
      owner: `${randomUUID()}@${processName()}`,
      isGone: (owner) => services.isGone(owner.split("@")[1] ?? ""),
      onProgress: onProgress ?? (() => {}),
      now: Date.now,
    });
  } finally {
    await fetcher.stop();
    await (await folder?.catch(() => undefined))?.[Symbol.asyncDispose]();
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
