import { fileURLToPath } from "node:url";
import { receivePack } from "../git/receive-pack.ts";
import { uploadPack } from "../git/upload-pack.ts";
import type { AwsIdentity } from "../host/codecommit.ts";
import { type Connection, openConnection } from "../host/connection.ts";
import type { Configured } from "../host/credentials.ts";
import type { Hosts } from "../host/hosts.ts";
import { httpTransport } from "../host/http-transport.ts";
import type { Location } from "../host/location.ts";
import { openPushConnection, type PushConnection } from "../host/push-connection.ts";
import type { Service, Transport } from "../host/transport.ts";

/** What all repositories of a run share on the way to their hosts. */
export interface Network {
  readonly hosts: Hosts;
  /** Returns the AWS identity that signs in to CodeCommit. */
  readonly identity: () => Promise<AwsIdentity>;
}

/** Connects to a repository: over HTTP, or for a folder to a process. Nothing is sent before the first request. */
export const connect = (
  location: Location,
  credentials: Configured,
  network: Network,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Connection =>
  openConnection(transportTo(location, credentials, network, "git-upload-pack"), signal, onProgress);

/** Connects to a repository that is written to, as above. */
export const connectToPush = (
  location: Location,
  credentials: Configured,
  network: Network,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): PushConnection =>
  openPushConnection(transportTo(location, credentials, network, "git-receive-pack"), signal, onProgress);

function transportTo(
  location: Location,
  credentials: Configured,
  { hosts, identity }: Network,
  service: Service,
): Transport {
  if (location.transport !== "file")
    return httpTransport(hosts.of, location, credentials, { identity, appTokens: hosts.appTokens }, service);
  const folder = fileURLToPath(location.url);
  const local = service === "git-upload-pack" ? uploadPack(folder) : receivePack(folder);
  // A folder has no credentials.
  return { ...local, redact: (text) => text };
}
