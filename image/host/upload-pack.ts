import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { type GitOptions, hear, refusal, stream } from "../git/git.ts";
import { indexPack } from "../git/index-pack.ts";
import { GitError } from "../lib/errors.ts";
import type { Location } from "./location.ts";
import { pktLine, readPktLines, type Special } from "./pkt-line.ts";

export interface Ref {
  readonly name: string;
  readonly commit: string;
  /** The full name of the ref that this one points to, where the host tells. */
  readonly target: string | undefined;
}

/** Objects, asked for by their ids and not by the names of refs. */
export interface Wants {
  readonly want: readonly string[];
  /** A commit that the host is to take for had, with all that lies behind it. */
  readonly have?: string;
  readonly depth?: number;
  readonly filter?: "blob:none" | "tree:0";
}

/** What came of it: the commits whose parents were left out, and whether the host knows the filter. */
export interface Got {
  readonly shallow: readonly string[];
  readonly filtered: boolean;
}

/**
 * git-upload-pack on the host, the other end of every fetch. All that a step asks of it goes over one connection, where
 * each `git fetch` makes one of its own and `git ls-remote` has all refs listed to show one.
 * Protocol 2: https://git-scm.com/docs/protocol-v2
 */
export interface UploadPack {
  /** Whether it speaks protocol 2; only then can it `fetch`. @throws GitError */
  isModern(): Promise<boolean>;
  /** The refs whose names begin so; with an older protocol all, as they were at the first question. @throws GitError */
  refs(prefix: string): Promise<Ref[]>;
  /** Fetches into the scratch repository of these options. @throws GitError */
  fetch(wants: Wants, into: GitOptions): Promise<Got>;
  /** Ends the call; what is under way on it fails with this reason. */
  close(reason?: unknown): void;
}

/** Starts git's own HTTP client, or for a folder upload-pack itself. Nothing is sent before the first question. */
export function callUploadPack({ transport, url }: Location, options: GitOptions): UploadPack {
  const overHttp = transport !== "file";
  const command = overHttp ? [`remote-${transport}`, "origin"] : ["upload-pack", fileURLToPath(url)];
  const over = new AbortController();
  const requests = new PassThrough();
  const signal = AbortSignal.any([options.signal, over.signal]);
  const environment = { ...options.environment, GIT_PROTOCOL: "version=2" };
  const complaint: string[] = [];
  const onLine = (line: string) => {
    complaint.push(line);
    options.onLine?.(line);
  };
  const answer = readPktLines(stream(command, { ...options, signal, environment, input: requests, onLine }));
  const refuse = (words: string) => refusal(command, words, options.redact);

  /** Waits for the end of what is no answer, and tells why: git's HTTP client says so on the side, and goes on. */
  const brokenOff = async (): Promise<GitError> => {
    requests.end();
    await answer.end();
    return complaint.length > 0 ? refuse(complaint.join(" ")) : cutOff();
  };
  const line = async () => {
    const read = await answer.line();
    if (read === undefined) throw await brokenOff();
    return read;
  };
  const packet = async () => {
    const read = await answer.packet();
    if (read === undefined) throw await brokenOff();
    if (typeof read !== "number" && read.subarray(0, 4).toString() === "ERR ")
      throw refuse(`remote error: ${read.subarray(4)}`);
    return read;
  };
  /** The lines up to this special packet. */
  const section = async (end: Special) => {
    const lines: string[] = [];
    for (;;) {
      const read = await packet();
      if (read === end) return lines;
      if (typeof read === "number") throw await brokenOff();
      lines.push(read.toString().trimEnd());
    }
  };
  /** Over HTTP, one more packet says that no more comes. */
  const endOfAnswer = async () => {
    if (overHttp && (await packet()) !== 2) throw await brokenOff();
  };

  /** What it can do, each with its details; undefined with an older protocol. */
  const greet = async (): Promise<ReadonlyMap<string, string> | undefined> => {
    if (overHttp) {
      // https://git-scm.com/docs/gitremote-helpers
      requests.write("stateless-connect git-upload-pack\n");
      if ((await line()) === "fallback") return undefined;
    }
    const [version, ...lines] = await section(0);
    if (version !== "version 2") throw await brokenOff();
    const capabilities = new Map(lines.map((line) => line.split("=", 2) as [string, string]));
    if ((capabilities.get("object-format") ?? "sha1") !== "sha1") throw refuse("mismatched algorithms");
    return capabilities;
  };
  let greeting: ReturnType<typeof greet> | undefined;
  const capabilities = () => (greeting ??= greet());

  const request = (name: string, lines: readonly string[]) => {
    const body = lines.map((line) => pktLine(`${line}\n`)).join("");
    requests.write(`${pktLine(`command=${name}\n`)}0001${body}0000`);
  };
  /** All that an old host's first answer listed, as git's HTTP client tells it. */
  const list = async (): Promise<Ref[]> => {
    requests.write("list\n");
    const lines: string[] = [];
    for (let next = await line(); next !== ""; next = await line()) lines.push(next);
    const pairs = lines.map((line) => line.split(" ") as [id: string, name: string]);
    const commits = new Map(pairs.map(([id, name]) => [name, id]));
    return pairs.map(([id, name]) => {
      const target = id.startsWith("@") ? id.slice(1) : undefined;
      return { name, target, commit: (target === undefined ? id : commits.get(target)) ?? "" };
    });
  };

  async function* pack(shallow: string[]): AsyncGenerator<Uint8Array> {
    for (;;) {
      const title = await packet();
      if (typeof title === "number") throw await brokenOff();
      if (title.toString().trimEnd() === "packfile") break;
      for (const line of await section(1)) {
        if (line.startsWith("shallow ")) shallow.push(line.slice("shallow ".length));
      }
    }
    const words = new PassThrough();
    hear(words, (line) => options.onLine?.(`remote: ${line}`));
    for (;;) {
      const part = await packet();
      if (part === 0) break;
      if (typeof part === "number") throw await brokenOff();
      const content = part.subarray(1);
      if (part[0] === 1) yield content;
      else if (part[0] === 2) words.write(content);
      else throw refuse(`remote error: ${content}`);
    }
    await endOfAnswer();
  }

  const close = (reason?: unknown) => over.abort(reason);
  return {
    isModern: async () => (await capabilities()) !== undefined,
    async refs(prefix) {
      if ((await capabilities()) === undefined) return list();
      request("ls-refs", ["symrefs", `ref-prefix ${prefix}`]);
      const lines = await section(0);
      await endOfAnswer();
      return lines.map((line) => {
        const [commit = "", name = "", ...details] = line.split(" ");
        const target = details.find((detail) => detail.startsWith("symref-target:"));
        return { name, commit, target: target?.slice("symref-target:".length) };
      });
    },
    async fetch({ want, have, depth, filter }, into) {
      const features = (await capabilities())?.get("fetch")?.split(" ") ?? [];
      if (depth !== undefined && !features.includes("shallow"))
        throw refuse("the host does not support depth");
      const filtered = filter !== undefined && features.includes("filter");
      request("fetch", [
        "ofs-delta",
        ...want.map((id) => `want ${id}`),
        ...(have === undefined ? [] : [`have ${have}`]),
        ...(depth === undefined ? [] : [`deepen ${depth}`]),
        ...(filtered ? [`filter ${filter}`] : []),
        "done",
      ]);
      const shallow: string[] = [];
      const stop = () => close(into.signal.reason);
      into.signal.addEventListener("abort", stop, { once: true });
      try {
        await indexPack(pack(shallow), { ...into, redact: options.redact }, close);
      } finally {
        into.signal.removeEventListener("abort", stop);
      }
      return { shallow, filtered };
    },
    close,
  };
}

const cutOff = () =>
  new GitError(
    "git-cut-off",
    "The host's answer broke off, or is none of git's protocol.",
    "The next run tries again; if it lasts, look at the host and the network.",
  );
