import { fileURLToPath } from "node:url";
import type { Configured, SignIn } from "../host/credentials.ts";
import type { Hosts } from "../host/hosts.ts";
import type { Location } from "../host/location.ts";
import { GitError } from "../lib/errors.ts";
import { askFor } from "./batch.ts";
import type { LargeFileSource } from "./fetch-large-files.ts";
import { folderSource } from "./folder-source.ts";
import { lacking } from "./lacking.ts";
import type { LargeFile } from "./pointer.ts";
import { type LfsServer, lfsServer, type Offer } from "./server.ts";

/** Returns where the large files of a repository are: on the LFS server beside it, or in its folder. */
export function largeFileSource(
  location: Location,
  credentials: Configured,
  { hosts, identity }: Pick<SignIn, "identity"> & { readonly hosts: Hosts },
  signal: AbortSignal,
): LargeFileSource {
  if (location.transport === "file") return folderSource(fileURLToPath(location.url));
  const signIn = { identity, appTokens: hosts.appTokens };
  const server = lfsServer(hosts.lfsOf, location, credentials, signIn);
  return {
    async find(files) {
      const offers = await askFor(server, files, signal);
      const sizes = new Map(files.map((file) => [file.oid, file]));
      return new Map(
        [...offers].flatMap(([oid, offer]) => {
          const file = sizes.get(oid);
          if (file === undefined) return [];
          return [[oid, offer instanceof GitError ? offer : () => download(server, file, offer, signal)]];
        }),
      );
    },
  };
}

/** An offer that ends sooner may end on its way. */
const marginMilliseconds = 5_000;

async function* download(
  server: LfsServer,
  file: LargeFile,
  offer: Offer,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array, void, void> {
  const isOver = offer.expires < Date.now() + marginMilliseconds;
  const current = isOver ? (await askFor(server, [file], signal)).get(file.oid) : offer;
  if (current === undefined) throw lacking("The server does not answer for it");
  if (current instanceof GitError) throw current;
  const answer = await server.get(current, signal);
  if (answer.status === 200) return yield* answer.body;
  answer.cancel();
  throw lacking(`The server does not send what it offers (HTTP status ${answer.status})`);
}
