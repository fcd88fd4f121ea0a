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
import type { Service } from "../host/transport.ts";

/** What all repositories of a run share on the way to their hosts. */
export interface Network {
  readonly hosts: Hosts;
  /** Returns the AWS identity that signs in to CodeCommit. */
  readonly identity: () => Promise<AwsIdentity>;
}

/** Connects to a repository: over HTTP, or for a folder to a process. Nothing is sent before the first request. */
export function connect(
  location: Location,
  credentials: Configured,
  network: Network,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Connection {
  const transport =
    location.transport === "file"
      ? { ...uploadPack(fileURLToPath(location.url)), redact }
      : overHttp(location, credentials, network, "git-upload-pack");
  return openConnection(transport, signal, onProgress);
}

/** Connects to a repository that is written to, as above. */
export function connectToPush(
  location: Location,
  credentials: Configured,
  network: Network,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): PushConnection {
  const transport =
    location.transport === "file"
      ? { ...receivePack(fileURLToPath(location.url)), redact }
      : overHttp(location, credentials, network, "git-receive-pack");
  return openPushConnection(transport, signal, onProgress);
}

/** A folder has no credentials. */
const redact = (text: string) => text;

const overHttp = (
  location: Location,
  credentials: Configured,
  { hosts, identity }: Network,
  service: Service,
) => httpTransport(hosts.of, location, credentials, { identity, appTokens: hosts.appTokens }, service);
