import { readFile, rm } from "node:fs/promises";
import { join } from "node:path";
import type { Repository } from "../config/repositories.ts";
import { type GitOptions, transport } from "../git/git.ts";
import { GitError } from "../lib/errors.ts";
import { awsIdentity, credentialsFor } from "./credentials.ts";
import type { Location } from "./location.ts";
import { redactor } from "./redact.ts";
import { callUploadPack, type Got, type Ref, type UploadPack, type Wants } from "./upload-pack.ts";

/** Where a repository is fetched from. One call to it serves all that is asked, one question after the other. */
export interface Host {
  /** These options for a git command that reaches the host: with its address, and credentials for it. @throws GitError */
  reaching(options: GitOptions): Promise<GitOptions>;
  /** Begins the call, which sends nothing yet: to have it ready for the first question. */
  call(): void;
  /** The refs whose names begin so, and maybe others, as they are now. @throws GitError */
  refs(prefix: string): Promise<Ref[]>;
  /** Whether it speaks protocol 2. @throws GitError */
  isModern(): Promise<boolean>;
  /** Fetches objects, by protocol 2 only. @throws GitError */
  fetch(wants: Wants, into: GitOptions): Promise<Got>;
  hangUp(): void;
}

/** @param directory a folder that outlives every scratch repository */
export function openHost(
  repository: Repository,
  directory: string,
  signal: AbortSignal,
  onProgress: (line: string) => void,
): Host {
  const { location } = repository;
  const identity = awsIdentity();
  const trace = join(directory, "trace");
  let called: Promise<UploadPack> | undefined;
  let modern: boolean | undefined;
  let turn: Promise<unknown> = Promise.resolve();

  const reaching = async (options: GitOptions): Promise<GitOptions> => {
    // Asked for each time: CodeCommit's signature is good for some 15 minutes.
    const credentials = await credentialsFor(repository, identity);
    const redact = redactor(credentials);
    const header =
      credentials &&
      `Authorization: Basic ${Buffer.from(`${credentials.user}:${credentials.password}`).toString("base64")}`;
    return {
      ...options,
      redact,
      config: [
        ...transport(location, header),
        ["remote.origin.url", location.url],
        ...(options.config ?? []),
      ],
      onLine: (line) => {
        options.onLine?.(line);
        onProgress(redact(line));
      },
    };
  };
  const dial = async () => {
    await rm(trace, { force: true });
    const environment = { GIT_TRACE2_EVENT: trace };
    return callUploadPack(
      location,
      await reaching({ directory, signal, environment, redact: (text) => text }),
    );
  };
  const call = () => {
    called ??= dial();
    called.catch(() => {}); // told to whoever asks
    return called;
  };
  const hangUp = () => {
    called?.then((uploadPack) => uploadPack.close()).catch(() => {});
    called = undefined;
  };
  const ask = <T>(question: (uploadPack: UploadPack) => Promise<T>): Promise<T> => {
    const mine = turn.then(async () => {
      try {
        const uploadPack = await call();
        modern = await uploadPack.isModern();
        return await question(uploadPack);
      } catch (error) {
        // Whatever it was, the call is good for nothing more.
        hangUp();
        throw error;
      }
    });
    turn = mine.catch(() => {});
    return mine;
  };
  return {
    reaching,
    call,
    async refs(prefix) {
      // An old host lists its refs when it is called, and never again.
      if (modern === false) hangUp();
      const refs = await ask((uploadPack) => uploadPack.refs(prefix));
      if (refs.length === 0 && !modern && !(await speaksGit(trace))) throw noGit(location);
      return refs;
    },
    isModern: async () => modern ?? ask((uploadPack) => uploadPack.isModern()),
    fetch: (wants, into) => ask((uploadPack) => uploadPack.fetch(wants, { ...into, onLine: onProgress })),
    hangUp,
  };
}

/** Whether git and the host have agreed on a version of git's protocol. */
async function speaksGit(trace: string): Promise<boolean> {
  return (await readFile(trace, "utf8").catch(() => "")).includes('"key":"negotiated-version"');
}

/** git takes any web page without a word for an empty repository of an old kind. */
const noGit = ({ url }: Location) =>
  new GitError(
    "git-not-found",
    `What answers at ${url} is no git host.`,
    "Check the URL, and whether something on the way, a login page say, answers in its place.",
  );
