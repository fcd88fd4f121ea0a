import { readdir, readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import { indexPack, type StoredPack } from "../git/index-pack.ts";
import { openIndex, type PackIndex } from "../git/pack-index.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { GitError, isRefusal } from "../lib/errors.ts";
import type { MirrorContext } from "./context.ts";

/** A host reads each of these ids in every request. */
const mostHaves = 1_000;

/** A host that refuses more often refuses this client, and not some refs. */
const mostRefusals = 200;

/** A pack that the host sent. */
export interface Part {
  readonly stored: StoredPack;
  readonly index: PackIndex;
}

export interface Fetched {
  /** The packs: one, or none, unless the host refused something. None is empty. */
  readonly parts: readonly Part[];
  /** The ids that the host refuses even alone, and its words. */
  readonly refusals: ReadonlyMap<string, string>;
}

/**
 * Fetches objects with all that they need and is not here. Where the host refuses that, because it lacks an object of one ref
 * for example, finds out by halves which ids it refuses, and fetches the others.
 * @param isFirst whether nothing is here: then git itself proves that all is connected
 * @throws GitError, LimitError
 */
export async function fetchParts(
  context: MirrorContext,
  scratch: ScratchRepository,
  wanted: readonly string[],
  haves: readonly string[],
  isFirst: boolean,
): Promise<Fetched> {
  const parts: Part[] = [];
  const refusals = new Map<string, string>();
  const [here, waiting] = [[...haves], [wanted]];
  let refused = 0;
  for (let want = waiting.pop(); want !== undefined; want = waiting.pop()) {
    const missing = want.filter((id) => !parts.some(({ index }) => index.has(id)));
    if (missing.length === 0) continue;
    try {
      // Later parts lean on earlier ones.
      const checks = isFirst && here.length === 0 ? ["--check-self-contained-and-connected"] : [];
      const stored = await fetchPack(
        context,
        scratch,
        { want: missing, have: here.slice(0, mostHaves) },
        checks,
      );
      const index = openIndex(await readFile(stored.index));
      if (index.count > 0) parts.push({ stored, index });
      here.unshift(...missing);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      if (++refused > mostRefusals) throw error;
      await removeUnfinished(scratch);
      const half = missing.length >>> 1;
      if (half === 0) for (const id of missing) refusals.set(id, error.message);
      else waiting.push(missing.slice(half), missing.slice(0, half));
    }
  }
  return { parts, refusals };
}

async function fetchPack(
  { connection, settings, onProgress }: MirrorContext,
  scratch: ScratchRepository,
  request: { readonly want: readonly string[]; readonly have: readonly string[] },
  checks: readonly string[],
): Promise<StoredPack> {
  const answer = connection.fetch(request, scratch.signal);
  answer.catch(() => {}); // Thrown below.
  const content = (async function* () {
    yield* (await answer).pack;
  })();
  let refusal: unknown;
  const watched = (async function* () {
    try {
      yield* content;
    } catch (error) {
      refusal = error;
      throw error;
    }
  })();
  try {
    return await indexPack(watched, scratch, settings.maxPackBytes, onProgress, checks);
  } catch (error) {
    throw error === refusal ? error : packError(error);
  }
}

/** Removes what git leaves of a pack that broke off: the next try needs the room. */
async function removeUnfinished(scratch: ScratchRepository): Promise<void> {
  const folder = scratch.packPath("");
  for (const name of await readdir(folder)) if (name.startsWith("tmp_")) await rm(join(folder, name));
}

/** Tells what is wrong with a pack, where the host itself refused nothing. */
function packError(error: unknown): unknown {
  // Other errors are of this computer.
  if (!isRefusal(error)) return error;
  const cause = { cause: error };
  if (/did not receive expected object|unresolved delta/.test(error.message)) {
    const message = `The host's answer lacks an object that another one needs (${error.message})`;
    return new GitError("pack-incomplete", message, remedy, cause);
  }
  const message = `The host sent what is no pack, or a damaged one (${error.message})`;
  return new GitError("pack-invalid", message, remedy, cause);
}

const remedy =
  "Nothing was published. The next run asks again; if it lasts, have the host's repository repaired (git fsck).";
