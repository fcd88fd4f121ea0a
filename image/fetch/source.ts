import type { ScratchRepository } from "../git/scratch-repository.ts";
import type { Connection } from "../host/connection.ts";

/** A repository to fetch from: the connection to its host, and the scratch repository for what is fetched. */
export interface Source {
  readonly connection: Connection;
  readonly scratch: ScratchRepository;
}
