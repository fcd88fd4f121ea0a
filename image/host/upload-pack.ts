import { PassThrough } from "node:stream";
import { fileURLToPath } from "node:url";
import { type GitOptions, streamGit } from "../git/git.ts";
import { gitError } from "../git/git-error.ts";
import { indexPack } from "../git/index-pack.ts";
import { collectStderr } from "../git/stderr.ts";
import { GitError } from "../lib/errors.ts";
import type { Location } from "./location.ts";
import { pktLine, readPktLines, type Special } from "./pkt-line.ts";

export interface Ref {
  readonly name: string;
  readonly commit: string;
  /** The full name of the ref that this one points to, where the host says so. */
  readonly target: string | undefined;
}

/** Objects, requested by their ids. */
export interface PackRequest {
  readonly want: readonly string[];
  /** A commit that the host shall assume is here, with all its ancestors. */
  readonly have?: string;
  readonly depth?: number;
  readonly filter?: "blob:none" | "tree:0";
}

export interface PackResult {
  /** The commits whose parents were left out. */
  readonly shallow: readonly string[];
  /** Whether the host applied the filter. */
  readonly filtered: boolean;
}

/**
 * git-upload-pack on the host, which answers every fetch. All requests of a step share one connection. `git fetch` opens
 * one each time, and `git ls-remote` lists all refs to show one.
 * Protocol 2: https://git-scm.com/docs/protocol-v2
 */
export interface UploadPack {
  /** Returns whether the host speaks protocol 2. Only then is `fetch` allowed. @throws GitError */
  isModern(): Promise<boolean>;
  /** Lists the refs whose names begin with `prefix`; with an older protocol all, as of the first request. @throws GitError */
  refs(prefix: string): Promise<Ref[]>;
  /** Fetches into the scratch repository of these options. @throws GitError */
  fetch(request: PackRequest, into: GitOptions): Promise<PackResult>;
  /** Ends the connection. A request under way fails with this reason. */
  close(reason?: unknown): void;
}

/** Starts git's own HTTP client, or upload-pack itself for a folder. Nothing is sent before the first request. */
export function openUploadPack({ transport, url }: Location, options: GitOptions): UploadPack {
  const overHttp = transport !== "file";
  const command = overHttp ? [`remote-${transport}`, "origin"] : ["upload-pack", fileURLToPath(url)];
  const closed = new AbortController();
  const requests = new PassThrough();
  const signal = AbortSignal.any([options.signal, closed.signal]);
  const environment = { ...options.environment, GIT_PROTOCOL: "version=2" };
  const stderr: string[] = [];
  const onLine = (line: string) => {
    stderr.push(line);
    options.onLine?.(line);
  };
  const answer = readPktLines(
    streamGit(command, { ...options, signal, environment, input: requests, onLine }),
  );
  const refused = (message: string) => gitError(command, message, options.redact);

  /** Waits for the end of an invalid answer, and returns the reason. git's HTTP client reports it on stderr only. */
  const brokenOff = async (): Promise<GitError> => {
    requests.end();
    await answer.end();
    return stderr.length > 0 ? refused(stderr.join(" ")) : cutOff();
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
      throw refused(`remote error: ${read.subarray(4)}`);
    return read;
  };
  /** Returns the lines up to this special packet. */
  const section = async (end: Special) => {
    const lines: string[] = [];
    for (;;) {
      const read = await packet();
      if (read === end) return lines;
      if (typeof read === "number") throw await brokenOff();
      lines.push(read.toString().trimEnd());
    }
  };
  /** Reads the packet that ends an answer over HTTP. */
  const endOfAnswer = async () => {
    if (overHttp && (await packet()) !== 2) throw await brokenOff();
  };

  /** Returns the host's capabilities with their details, and undefined with an older protocol. */
  const readCapabilities = async (): Promise<ReadonlyMap<string, string> | undefined> => {
    if (overHttp) {
      // https://git-scm.com/docs/gitremote-helpers
      requests.write("stateless-connect git-upload-pack\n");
      if ((await line()) === "fallback") return undefined;
    }
    const [version, ...lines] = await section(0);
    if (version !== "version 2") throw await brokenOff();
    const capabilities = new Map(lines.map((line) => line.split("=", 2) as [string, string]));
    if ((capabilities.get("object-format") ?? "sha1") !== "sha1") throw refused("mismatched algorithms");
    return capabilities;
  };
  let known: ReturnType<typeof readCapabilities> | undefined;
  const capabilities = () => (known ??= readCapabilities());

  const request = (name: string, lines: readonly string[]) => {
    const body = lines.map((line) => pktLine(`${line}\n`)).join("");
    requests.write(`${pktLine(`command=${name}\n`)}0001${body}0000`);
  };
  /** Returns the refs of an old host's first answer, from the output of git's HTTP client. */
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
    const progress = new PassThrough();
    collectStderr(progress, (line) => options.onLine?.(`remote: ${line}`));
    for (;;) {
      const part = await packet();
      if (part === 0) break;
      if (typeof part === "number") throw await brokenOff();
      const content = part.subarray(1);
      if (part[0] === 1) yield content;
      else if (part[0] === 2) progress.write(content);
      else throw refused(`remote error: ${content}`);
    }
    await endOfAnswer();
  }

  const close = (reason?: unknown) => closed.abort(reason);
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
        throw refused("the host does not support depth");
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
    "The host's answer broke off, or is not of git's protocol.",
    "The next run tries again. If it happens again, check the host and the network.",
  );
