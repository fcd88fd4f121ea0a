import type { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { type Advertisement, readAdvertisement, refLimits } from "./advertisement.ts";
import { refused } from "./answer-error.ts";
import { redacted, sideband } from "./connection.ts";
import { flush, packet, readPackets } from "./packets.ts";
import { agent, type Transport } from "./transport.ts";

/** A change of a ref on a host: its present id there, and the one that it shall have; null for none. */
export interface RefUpdate {
  readonly name: string;
  readonly from: string | null;
  readonly to: string | null;
}

/** The way to a repository on its host, for those who may write there. All methods throw GitError. */
export interface PushConnection {
  /** Lists the refs that may be changed, as they are now: each name, and the id to which it leads. */
  refs(): Promise<ReadonlyMap<string, string>>;
  /**
   * Changes refs, each for itself and only if it is still what it was.
   * @param pack streams the objects that are new there; its deltas may name their bases by offsets, or not
   * @returns the host's reasons for those that it refuses, by name
   */
  push(
    updates: readonly RefUpdate[],
    pack: (offsets: boolean) => AsyncGenerator<Uint8Array, void, void>,
  ): Promise<ReadonlyMap<string, string>>;
}

/** A request up to this size is sent as a whole, as git does: some servers refuse to read one of unknown length. */
const wholeBytes = 1024 * 1024;
const noId = "0".repeat(40);
/** Not what a host with shared objects lists as `.have`. */
const allRefs = /^refs\//;

/** Speaks to git-receive-pack. Source: https://git-scm.com/docs/pack-protocol#_pushing_data_to_a_server */
export function openPushConnection(
  transport: Transport,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): PushConnection {
  const showProgress =
    onProgress && ((text: string) => onProgress(transport.redact(`remote: ${printable(text).trim()}`)));
  let advertised: Advertisement | undefined;
  const redacting = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw redacted(error, transport.redact);
    }
  };
  const refs = () =>
    redacting(async () => {
      advertised = await readAdvertisement(await transport.advertise(signal), allRefs);
      return new Map(advertised.refs.map(({ name, commit }) => [name, commit]));
    });
  return {
    refs,
    async push(updates, pack) {
      if (advertised === undefined) await refs();
      const capabilities = advertised?.capabilities ?? new Map<string, string>();
      const canDelete = capabilities.has("delete-refs");
      const possible = updates.filter(({ to }) => to !== null || canDelete);
      const reasons = new Map<string, string>(
        updates.flatMap(({ name, to }) =>
          to !== null || canDelete ? [] : [[name, "the host deletes no refs"] as const],
        ),
      );
      if (possible.length === 0) return reasons;
      const chosen = ["report-status", "side-band-64k", "ofs-delta", ...(onProgress ? [] : ["quiet"])].filter(
        (name) => capabilities.has(name),
      );
      const content = possible.some(({ to }) => to !== null) ? pack(chosen.includes("ofs-delta")) : undefined;
      // An error of the pack comes first: that of the request is then only that its body ends too early.
      let failure: { readonly error: unknown } | undefined;
      const body = async function* () {
        yield Buffer.from(formatUpdates(possible, chosen));
        try {
          if (content) yield* content;
        } catch (error) {
          failure = { error };
          throw error;
        }
      };
      try {
        await redacting(async () => {
          const answer = await transport.post(await wholeIfSmall(body()), signal);
          if (!chosen.includes("report-status")) return;
          for (const [name, reason] of await readReport(answer, chosen, showProgress))
            reasons.set(name, transport.redact(reason));
        });
      } catch (error) {
        throw failure ? failure.error : error;
      } finally {
        // The host may have answered before it read everything.
        await content?.return();
      }
      return reasons;
    },
  };
}

function formatUpdates(updates: readonly RefUpdate[], capabilities: readonly string[]): string {
  const lines = updates.map(({ name, from, to }) => `${from ?? noId} ${to ?? noId} ${name}`);
  const [first = "", ...others] = lines;
  return [
    packet(`${first}\0 ${[...capabilities, `agent=${agent}`].join(" ")}`),
    ...others.map(packet),
    flush,
  ].join("");
}

/** Returns the whole of a short stream, and another stream of a longer one. */
async function wholeIfSmall(
  stream: AsyncGenerator<Uint8Array, void, void>,
): Promise<Uint8Array | AsyncGenerator<Uint8Array, void, void>> {
  const begun: Uint8Array[] = [];
  for (let bytes = 0; bytes <= wholeBytes; bytes += begun.at(-1)?.length ?? 0) {
    const { value, done } = await stream.next();
    if (done) return Buffer.concat(begun);
    begun.push(value);
  }
  return (async function* () {
    yield* begun;
    yield* stream;
  })();
}

/** Reads which refs a host refuses, and why. @throws GitError where it did not take the objects */
async function readReport(
  answer: AsyncIterable<Uint8Array>,
  capabilities: readonly string[],
  onProgress: ((line: string) => void) | undefined,
): Promise<Map<string, string>> {
  const outer = readPackets(answer, refLimits);
  const isMultiplexed = capabilities.includes("side-band-64k");
  const packets = isMultiplexed ? readPackets(sideband(outer, onProgress), refLimits) : outer;
  const reasons = new Map<string, string>();
  try {
    for await (const line of packets.linesUntil(0)) {
      const [, unpacked] = /^unpack (.*)$/.exec(line) ?? [];
      if (unpacked !== undefined && unpacked !== "ok") throw notTaken(unpacked);
      const [, name, reason] = /^ng (\S+) (.*)$/.exec(line) ?? [];
      if (name !== undefined) reasons.set(name, printable(reason ?? ""));
    }
    await packets.end();
    return reasons;
  } finally {
    await packets.close();
    await outer.close();
  }
}

const notTaken = (reason: string): GitError => refused(`it did not take the objects: ${reason}`);
