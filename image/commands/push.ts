import { fileURLToPath } from "node:url";
import { readLocalRepositories } from "../config/local-repositories.ts";
import { readSettings } from "../config/settings.ts";
import { connect, connectToPush } from "../fetch/connect.ts";
import { awsIdentity } from "../host/codecommit.ts";
import { waitOutPauses } from "../host/wait-out-pauses.ts";
import { copyLargeFiles, pushLargeFiles } from "../lfs/push-large-files.ts";
import { lfsServer } from "../lfs/server.ts";
import type { Environment } from "../lib/environment.ts";
import type { FoundStep } from "../mirror/find-step.ts";
import { type Pushed, type PushOptions, pushState } from "../mirror/push.ts";
import type { PushedRefs } from "../run/restore-report.ts";
import { hostsFor } from "./hosts-for.ts";

/** A repository that a state is pushed to. */
export interface PushTarget {
  readonly url: string;
  /** Pushes a state and the large files that it needs, which the repository in a folder has. @throws GitError */
  push(
    folder: string,
    { state, files }: Pick<FoundStep, "state" | "files">,
    options: PushOptions,
  ): Promise<Pushed & PushedRefs>;
}

/** Opens what a person names after --push. Undefined where nothing is named. @throws ConfigError */
export function openPushTarget(name: string | undefined, environment: Environment): PushTarget | undefined {
  // An option without its value is `true`, which is reported elsewhere.
  if (typeof name !== "string" || name === "") return undefined;
  const settings = readSettings(environment, new Date());
  const [repository] = readLocalRepositories([name], environment, process.cwd());
  if (repository === undefined) throw new Error("No repository was read.");
  const { location, credentials } = repository;
  const network = { hosts: hostsFor(settings, "write"), identity: awsIdentity() };
  return {
    url: location.url,
    async push(folder, { state, files }, options) {
      const { signal, onProgress } = options;
      // First, so that no ref leads to what is missing.
      const signIn = { identity: network.identity, appTokens: network.hosts.appTokens };
      const largeFiles =
        location.transport === "file"
          ? await copyLargeFiles(folder, fileURLToPath(location.url), files)
          : await pushLargeFiles(
              lfsServer(network.hosts.lfsOf, location, credentials, signIn),
              folder,
              files,
              signal,
              onProgress,
            );
      const host = connectToPush(location, credentials, network, signal, onProgress);
      const pushed = await waitOutPauses(signal, () => pushState(folder, state, host, options));
      const reader = connect(location, credentials, network, signal, undefined);
      const refs = await waitOutPauses(signal, () => reader.refs("HEAD"));
      const target = refs.find(({ name }) => name === "HEAD");
      const found = target ? (target.target ?? target.commit) : null;
      const wanted = state.head.replace(/^ref: /, "");
      return { ...pushed, largeFiles, head: found === wanted ? null : { wanted, found } };
    },
  };
}
