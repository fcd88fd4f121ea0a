import { GitError } from "../lib/errors.ts";
import { printable } from "../lib/printable.ts";
import { type Advertisement, type Ref, readAdvertisement, refLimits } from "./advertisement.ts";
import { notGit, refused, tooMuch } from "./answer-error.ts";
import { delimiter, flush, type PacketReader, packet, readPackets } from "./packets.ts";
import { agent, type Transport } from "./transport.ts";

/** Objects, requested by their ids. */
export interface FetchRequest {
  readonly want: readonly string[];
  /** Commits that the host shall assume are here, with all their ancestors. */
  readonly have?: readonly string[];
  /** Commits that are here without their parents. */
  readonly shallow?: readonly string[];
  readonly depth?: number;
  readonly filter?: "blob:none" | "tree:0";
}

export interface FetchAnswer {
  /** The commits whose parents were left out, as far as this answer changes them. */
  readonly shallow: readonly string[];
  readonly unshallow: readonly string[];
  /** The bytes of the pack. @throws GitError */
  readonly pack: AsyncGenerator<Uint8Array, void, void>;
}

/** What a host offers for a fetch. */
export interface Features {
  /** Whether it serves every object it has. Then an object that it refuses is gone. */
  readonly anyObject: boolean;
  readonly depth: boolean;
  readonly filter: boolean;
}

/** The way to one repository on its host, whatever protocol that speaks. All methods throw GitError. */
export interface Connection {
  features(): Promise<Features>;
  /** Lists the refs whose names begin with one of `prefixes`, and maybe others, as they are now. */
  refs(...prefixes: readonly string[]): Promise<readonly Ref[]>;
  /** Requests a pack, which must then be read, at least in part. */
  fetch(request: FetchRequest, signal: AbortSignal): Promise<FetchAnswer>;
}

/** Of an answer without its pack: the commits at a shallow boundary, of which there may be many. */
const fetchLimits = { bytes: 64 * 1024 * 1024, packets: 1_000_000 };
const progressLimit = 16 * 1024 * 1024;

/** @param onProgress receives the host's progress, which is not requested without it */
export function openConnection(
  transport: Transport,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Connection {
  const showProgress =
    onProgress && ((text: string) => onProgress(transport.redact(`remote: ${printable(text).trim()}`)));
  /** Runs a request. The host's words in its errors may repeat the credentials. */
  const redacting = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (error) {
      throw redacted(error, transport.redact);
    }
  };
  let advertised: Promise<Advertisement> | undefined;
  const advertise = () => redacting(async () => readAdvertisement(await transport.advertise(signal)));
  const advertisement = () => (advertised ??= advertise());

  return {
    features: async () => featuresOf(await advertisement()),
    async refs(...prefixes) {
      const known = advertised;
      const { version, capabilities, refs } = await advertisement();
      if (version === 2) return redacting(() => listRefs(transport, signal, capabilities, prefixes));
      if (known === undefined) return refs;
      // Protocol 0 lists the refs of the moment of its first answer.
      advertised = advertise();
      return (await advertised).refs;
    },
    async fetch(request, signal) {
      const advertised = await advertisement();
      return redacting(async () => {
        const body = formatRequest(request, advertised, onProgress !== undefined);
        const answer = readPackets(await transport.post(Buffer.from(body), signal), fetchLimits);
        try {
          const { version, capabilities } = advertised;
          const boundary = version === 2 ? await readSections(answer) : await readBoundary(answer, request);
          const pack =
            version === 2
              ? sideband(answer, showProgress)
              : firstVersionPack(answer, capabilities, showProgress);
          return { ...boundary, pack: closing(answer, pack, transport.redact) };
        } catch (error) {
          await answer.close();
          throw error;
        }
      });
    },
  };
}

/** Returns an error without the credentials that the host's words in it may repeat. */
export const redacted = (error: unknown, redact: (text: string) => string): unknown =>
  error instanceof GitError ? new GitError(error.code, redact(error.message), error.remedy) : error;

async function listRefs(
  transport: Transport,
  signal: AbortSignal,
  capabilities: ReadonlyMap<string, string>,
  prefixes: readonly string[],
): Promise<Ref[]> {
  const wanted = prefixes.map((prefix) => `ref-prefix ${prefix}`);
  const body = command("ls-refs", capabilities, ["symrefs", "peel", ...wanted]);
  const answer = readPackets(await transport.post(Buffer.from(body), signal), refLimits);
  const refs: Ref[] = [];
  try {
    for await (const line of answer.linesUntil(0)) {
      const [commit = "", name = "", ...attributes] = line.split(" ");
      const [target, peeled] = ["symref-target:", "peeled:"].map((key) =>
        attributes.find((attribute) => attribute.startsWith(key))?.slice(key.length),
      );
      refs.push({ name, commit, target, ...(peeled && { peeled }) });
    }
    await answer.end();
    return refs;
  } finally {
    await answer.close();
  }
}

function featuresOf({ version, capabilities }: Advertisement): Features {
  if (version === 2) {
    const features = (capabilities.get("fetch") ?? "").split(" ");
    // With protocol 2, git serves every object it has: https://git-scm.com/docs/protocol-v2#_fetch
    return { anyObject: true, depth: features.includes("shallow"), filter: features.includes("filter") };
  }
  return {
    anyObject: capabilities.has("allow-reachable-sha1-in-want") && capabilities.has("allow-tip-sha1-in-want"),
    depth: capabilities.has("shallow"),
    filter: capabilities.has("filter"),
  };
}

const line = (text: string) => packet(`${text}\n`);

/** Formats a request for a pack. @throws GitError where the host lacks a feature that it needs */
function formatRequest(request: FetchRequest, advertised: Advertisement, progress: boolean): string {
  const { depth, filter } = featuresOf(advertised);
  if (request.depth !== undefined && !depth) throw refused("it does not support depth");
  if (request.filter !== undefined && !filter) throw refused("it does not support filters");
  if (advertised.version !== 2) return firstVersionRequest(request, advertised.capabilities, progress);
  return command("fetch", advertised.capabilities, [
    "ofs-delta",
    ...(progress ? [] : ["no-progress"]),
    ...request.want.map((id) => `want ${id}`),
    ...argumentsOf(request),
    ...(request.have ?? []).map((id) => `have ${id}`),
    "done",
  ]);
}

/** Formats a request of protocol 2. */
const command = (name: string, capabilities: ReadonlyMap<string, string>, lines: readonly string[]): string =>
  [
    line(`command=${name}`),
    ...(capabilities.has("agent") ? [line(`agent=${agent}`)] : []),
    ...(capabilities.has("object-format") ? [line("object-format=sha1")] : []),
    delimiter,
    ...lines.map(line),
    flush,
  ].join("");

const argumentsOf = ({ shallow = [], depth, filter }: FetchRequest): string[] => [
  ...shallow.map((id) => `shallow ${id}`),
  ...(depth === undefined ? [] : [`deepen ${depth}`]),
  ...(filter === undefined ? [] : [`filter ${filter}`]),
];

/** Formats a request of protocol 0 or 1. */
function firstVersionRequest(
  request: FetchRequest,
  capabilities: ReadonlyMap<string, string>,
  progress: boolean,
): string {
  const offered = ["side-band-64k", "side-band", "ofs-delta", ...(progress ? [] : ["no-progress"])];
  const chosen = offered.filter((name) => capabilities.has(name));
  const used = chosen.includes("side-band-64k") ? chosen.filter((name) => name !== "side-band") : chosen;
  // Dulwich, which names no agent, refuses clients without thin-pack. Its packs are complete nevertheless. git must not
  // hear it: it would leave out what commits before a `have` contain, which are not here.
  const claimsThinPack = capabilities.has("thin-pack") && !capabilities.has("agent");
  const list = [
    ...used,
    ...(claimsThinPack ? ["thin-pack"] : []),
    ...(request.filter ? ["filter"] : []),
    ...(capabilities.has("agent") ? [`agent=${agent}`] : []),
  ];
  const [first = "", ...others] = request.want;
  return [
    line(`want ${first} ${list.join(" ")}`),
    ...others.map((id) => line(`want ${id}`)),
    ...argumentsOf(request).map(line),
    flush,
    ...(request.have ?? []).map((id) => line(`have ${id}`)),
    line("done"),
  ].join("");
}

interface Boundary {
  readonly shallow: readonly string[];
  readonly unshallow: readonly string[];
}

function addBoundary(boundary: { shallow: string[]; unshallow: string[] }, text: string): void {
  const [kind, id = ""] = text.split(" ");
  if (kind === "shallow") boundary.shallow.push(id);
  if (kind === "unshallow") boundary.unshallow.push(id);
}

/** Reads the sections of an answer of protocol 2, up to its pack. */
async function readSections(answer: PacketReader): Promise<Boundary> {
  const boundary = { shallow: [], unshallow: [] };
  for (;;) {
    const title = await answer.next();
    if (typeof title === "number") throw notGit("a section has no title");
    if (title.toString().trimEnd() === "packfile") return boundary;
    for await (const text of answer.linesUntil(1)) addBoundary(boundary, text);
  }
}

/** Reads the boundary of an answer of protocol 0, which is there where a depth was requested. */
async function readBoundary(answer: PacketReader, { depth }: FetchRequest): Promise<Boundary> {
  const boundary = { shallow: [], unshallow: [] };
  if (depth === undefined) return boundary;
  for await (const text of answer.linesUntil(0)) addBoundary(boundary, text);
  return boundary;
}

async function* firstVersionPack(
  answer: PacketReader,
  capabilities: ReadonlyMap<string, string>,
  onProgress: ((line: string) => void) | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  const multiplexed = capabilities.has("side-band-64k") || capabilities.has("side-band");
  for (;;) {
    const next = await answer.next();
    if (typeof next === "number") throw notGit("a special packet is before the pack");
    const isAcknowledgement = /^(ACK|NAK)\b/.test(next.subarray(0, 4).toString("latin1"));
    if (isAcknowledgement) {
      if (!multiplexed) return yield* answer.rest();
      continue;
    }
    return yield* sideband(answer, onProgress, next);
  }
}

/** Streams a pack, and closes the answer at its end. */
async function* closing(
  answer: PacketReader,
  pack: AsyncGenerator<Uint8Array, void, void>,
  redact: (text: string) => string,
): AsyncGenerator<Uint8Array, void, void> {
  try {
    yield* pack;
  } catch (error) {
    throw redacted(error, redact);
  } finally {
    await answer.close();
  }
}

/** Streams band 1 of an answer. Band 2 is progress, and band 3 an error. */
export async function* sideband(
  answer: PacketReader,
  onProgress: ((line: string) => void) | undefined,
  first?: Buffer,
): AsyncGenerator<Uint8Array, void, void> {
  answer.beginPack();
  let progressBytes = 0;
  for (let part = first ?? (await answer.next()); part !== 0; part = await answer.next()) {
    if (typeof part === "number") throw notGit("a special packet is within the pack");
    const content = part.subarray(1);
    if (part[0] === 1) yield content;
    else if (part[0] === 2) {
      progressBytes += content.length;
      if (progressBytes > progressLimit) throw tooMuch("progress", `${progressLimit} bytes`);
      onProgress?.(content.toString());
    } else if (part[0] === 3) throw refused(content.toString());
    else throw notGit("a packet belongs to no band");
  }
  await answer.end();
}
