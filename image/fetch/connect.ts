import { fileURLToPath } from "node:url";
import { uploadPack } from "../git/upload-pack.ts";
import type { AwsIdentity } from "../host/codecommit.ts";
import { type Connection, openConnection } from "../host/connection.ts";
import type { Configured } from "../host/credentials.ts";
import type { Hosts } from "../host/hosts.ts";
import { httpTransport } from "../host/http-transport.ts";
import type { Location } from "../host/location.ts";

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
  { hosts, identity }: Network,
  signal: AbortSignal,
  onProgress: ((line: string) => void) | undefined,
): Connection {
  const transport =
    location.transport === "file"
      ? { ...uploadPack(fileURLToPath(location.url)), redact: (text: string) => text }
      : httpTransport(hosts.of, location, credentials, { identity, appTokens: hosts.appTokens });
  return openConnection(transport, signal, onProgress);
}
