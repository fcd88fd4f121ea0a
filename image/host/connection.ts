import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Commit } from "../git/commits.ts";
import { type GitOptions, runGit } from "../git/git.ts";
import type { ScratchRepository } from "../git/scratch-repository.ts";
import { GitError } from "../lib/errors.ts";
import { awsIdentity } from "./codecommit.ts";
import { type Credentials, currentCredentials } from "./credentials.ts";
import { writeFakeHave } from "./fake-have.ts";
import type { Location } from "./location.ts";
import { redactor } from "./redact.ts";
import { openUploadPack, type PackRequest, type Ref, type UploadPack } from "./upload-pack.ts";

/** Objects, requested by their ids. */
export interface FetchRequest extends Omit<PackRequest, "have"> {
  readonly have?: Commit;
}

export interface FetchResult {
  /** Whether the host applied the filter. */
  readonly filtered: boolean;
  /** The number of commits that were written here to claim `have`, and were not fetched. */
  readonly written: number;
}

/** The way to one repository on its host, whatever protocol that speaks. Requests run one after the other. */
export interface Connection {
  /** Opens the connection ahead of the first request. Nothing is sent. */
  open(): void;
  /** Lists the refs whose names begin with `prefix`, and maybe others, as they are now. @throws GitError */
  refs(prefix: string): Promise<Ref[]>;
  /** Returns whether the host serves every object it has. Then an object that it refuses is gone. @throws GitError */
  servesAnyObject(): Promise<boolean>;
  /** Fetches objects into the scratch repository. @throws GitError */
  fetch(request: FetchRequest, scratch: ScratchRepository): Promise<FetchResult>;
  /** Runs `git fetch` with these arguments. @throws GitError */
  fetchRefs(args: readonly string[], scratch: ScratchRepository): Promise<void>;
  close(): void;
}

/** @param directory a folder that exists as long as the connection */
export function openConnection(
  location: Location,
  configured: Credentials | undefined,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Connection {
  const identity = awsIdentity();
  const trace = join(directory, "trace");
  let opened: Promise<UploadPack> | undefined;
  let modern: boolean | undefined;
  let queue: Promise<unknown> = Promise.resolve();

  /** Returns these options with the host's address and credentials in them. */
  const forHost = async (options: GitOptions): Promise<GitOptions> => {
    // Read each time: CodeCommit's signature is valid for some 15 minutes.
    const credentials = await currentCredentials(location, configured, identity);
    const redact = redactor(credentials);
    return {
      ...options,
      redact,
      config: [
        ...transportConfig(location, credentials),
        ["remote.origin.url", location.url],
        ...(options.config ?? []),
      ],
      onLine: (line) => {
        options.onLine?.(line);
        onProgress(redact(line));
      },
    };
  };
  const connect = async () => {
    await rm(trace, { force: true });
    const environment = { GIT_TRACE2_EVENT: trace };
    return openUploadPack(
      location,
      await forHost({ directory, signal, environment, redact: (text) => text }),
    );
  };
  const open = () => {
    opened ??= connect();
    opened.catch(() => {}); // The first request throws it.
    return opened;
  };
  const close = () => {
    opened?.then((uploadPack) => uploadPack.close()).catch(() => {});
    opened = undefined;
  };
  const request = <T>(send: (uploadPack: UploadPack) => Promise<T>): Promise<T> => {
    const result = queue.then(async () => {
      try {
        const uploadPack = await open();
        modern = await uploadPack.isModern();
        return await send(uploadPack);
      } catch (error) {
        // After any error, the state of the connection is unknown.
        close();
        throw error;
      }
    });
    queue = result.catch(() => {});
    return result;
  };
  const isModern = async () => modern ?? request((uploadPack) => uploadPack.isModern());
  const gitFetch = async (
    args: readonly string[],
    { directory, signal }: ScratchRepository,
    options: Partial<GitOptions> = {},
  ) => {
    const always = ["--progress", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules"];
    const given = { directory, signal, redact: (text: string) => text, ...options };
    await runGit(["fetch", ...always, ...args], await forHost(given));
  };
  const fetchByGit = async (
    { want, have, depth, filter }: FetchRequest,
    scratch: ScratchRepository,
  ): Promise<FetchResult> => {
    const written = have === undefined ? 0 : await writeFakeHave(scratch, have);
    let filtered = filter !== undefined;
    const args = [
      ...(depth === undefined ? [] : [`--depth=${depth}`]),
      ...(have === undefined ? [] : [`--negotiation-tip=${have.id}`]),
    ];
    await gitFetch([...args, "--stdin", "origin"], scratch, {
      config: filter === undefined ? [] : promisorConfig(filter),
      input: `${want.join("\n")}\n`,
      onLine: (line) => {
        filtered &&= !line.includes("filtering not recognized");
      },
    });
    return { filtered, written };
  };
  return {
    open,
    async refs(prefix) {
      // A host of protocol 0 lists its refs when a connection opens, and never again.
      if (modern === false) close();
      const refs = await request((uploadPack) => uploadPack.refs(prefix));
      if (refs.length === 0 && !modern && !(await speaksGit(trace))) throw notGit(location);
      return refs;
    },
    servesAnyObject: isModern,
    async fetch(wanted, scratch) {
      if (!(await isModern())) return fetchByGit(wanted, scratch);
      const { directory, signal } = scratch;
      const pack = { ...wanted, have: wanted.have?.id };
      const options = { directory, signal, redact: (text: string) => text, onLine: onProgress };
      const { shallow, filtered } = await request((uploadPack) => uploadPack.fetch(pack, options));
      await scratch.writeShallow(shallow);
      return { filtered, written: 0 };
    },
    fetchRefs: (args, scratch) => gitFetch(args, scratch),
    close,
  };
}

/** Configures git's transport for one location. Credentials stay in git's environment. */
function transportConfig(
  { transport, url }: Location,
  credentials: Credentials | undefined,
): [string, string][] {
  const config: [string, string][] = [
    ["protocol.allow", "never"],
    [`protocol.${transport}.allow`, "always"],
    // git would send the header below to the target of a redirect too.
    ["http.followRedirects", credentials === undefined ? "initial" : "false"],
    ["http.lowSpeedLimit", "1"],
    ["http.lowSpeedTime", "120"],
  ];
  if (credentials === undefined) return config;
  const pair = Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64");
  return [...config, [`http.${url}.extraHeader`, `Authorization: Basic ${pair}`]];
}

/** Configures a fetch that leaves objects out. It is never written to disk, so that nothing fetches them later. */
const promisorConfig = (filter: string): [string, string][] => [
  ["remote.origin.promisor", "true"],
  ["remote.origin.partialCloneFilter", filter],
];

/** Returns whether git and the host agreed on a version of git's protocol. */
async function speaksGit(trace: string): Promise<boolean> {
  return (await readFile(trace, "utf8").catch(() => "")).includes('"key":"negotiated-version"');
}

/** git silently takes any web page for an empty repository of protocol 0. */
const notGit = ({ url }: Location) =>
  new GitError(
    "git-not-found",
    `The answer from ${url} is not of a git host.`,
    "Check the URL, and whether something in between, such as a login page, answers instead.",
  );
