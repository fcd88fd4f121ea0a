import { GitError } from "../lib/errors.ts";
import { notGit } from "./answer-error.ts";
import { type Packet, type PacketReader, readPackets } from "./packets.ts";

export interface Ref {
  readonly name: string;
  readonly commit: string;
  /** The full name of the ref that this one points to, where the host says so. */
  readonly target: string | undefined;
  /** What an annotated tag leads to in the end. */
  readonly peeled?: string;
}

/** What a host can do. Protocols 0 and 1 list all refs with it. */
export interface Advertisement {
  readonly version: 0 | 2;
  /** The capabilities; for protocol 2 each with its value, such as the features of `fetch`. */
  readonly capabilities: ReadonlyMap<string, string>;
  readonly refs: readonly Ref[];
}

/** What a list of refs may hold. The largest repositories have some 100,000 branches and tags. */
export const refLimits = { bytes: 64 * 1024 * 1024, packets: 500_000 };

/** Hosts have many more refs that nobody follows, of pull requests for example. */
const branchesAndTags = /^(HEAD|refs\/(heads|tags)\/.*(?<!\^\{\}))$/s;

/**
 * Reads an advertisement. Sources: https://git-scm.com/docs/protocol-v2, https://git-scm.com/docs/pack-protocol
 * @param names of the refs to return
 */
export async function readAdvertisement(
  answer: AsyncIterable<Uint8Array>,
  names: RegExp = branchesAndTags,
): Promise<Advertisement> {
  const packets = readPackets(answer, refLimits);
  try {
    return await parse(packets, names);
  } finally {
    await packets.close();
  }
}

async function parse(packets: PacketReader, names: RegExp): Promise<Advertisement> {
  let first = textOf(await packets.next());
  if (first?.startsWith("# service=")) {
    if ((await packets.next()) !== 0) throw notGit("its header does not end");
    first = textOf(await packets.next());
  }
  if (first === "version 2") {
    const lines = await Array.fromAsync(packets.linesUntil(0));
    await packets.end();
    return { version: 2, capabilities: checkFormat(parseCapabilities(lines)), refs: [] };
  }
  if (first === "version 1") first = textOf(await packets.next());
  // Not even an empty repository's first line.
  if (first === undefined) return { version: 0, capabilities: new Map(), refs: [] };
  const [line = "", list = ""] = first.split("\0");
  const words = list.trim().split(" ");
  const capabilities = checkFormat(parseCapabilities(words.filter((word) => !word.startsWith("symref="))));
  const targets = new Map(
    words.flatMap((word) => {
      const [, name, target] = /^symref=([^:]+):(.+)$/s.exec(word) ?? [];
      return name && target ? [[name, target] as const] : [];
    }),
  );
  const refs: Ref[] = [];
  const add = (line: string) => {
    const [commit = "", name = ""] = splitOnce(line, " ");
    // The line of a tag follows at once with what it leads to.
    const last = refs.at(-1);
    if (last && name === `${last.name}^{}`) refs[refs.length - 1] = { ...last, peeled: commit };
    else if (names.test(name)) refs.push({ name, commit, target: targets.get(name) });
  };
  add(line);
  for await (const next of packets.linesUntil(0)) add(next);
  await packets.end();
  return { version: 0, capabilities, refs };
}

const textOf = (packet: Packet): string | undefined => {
  if (packet === 0) return undefined;
  if (typeof packet === "number") throw notGit("its first packet is a special one");
  return packet.toString().replace(/\n$/, "");
};

const parseCapabilities = (lines: readonly string[]): Map<string, string> =>
  new Map(lines.map((line) => splitOnce(line, "=") as [string, string]));

function splitOnce(text: string, separator: string): [string, string] {
  const index = text.indexOf(separator);
  return index < 0 ? [text, ""] : [text.slice(0, index), text.slice(index + separator.length)];
}

function checkFormat(capabilities: Map<string, string>): Map<string, string> {
  const format = capabilities.get("object-format") ?? "sha1";
  if (format === "sha1") return capabilities;
  throw new GitError(
    "git-failed",
    `The repository uses the object format ${format.slice(0, 20)}, which is not supported.`,
    "Collect a repository that uses SHA-1.",
  );
}
