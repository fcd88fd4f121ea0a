/** How people appear in tables: under a keyed hash of their e-mail address, as they are, or not at all. */
export type Privacy = "hash" | "plain" | "omit";

export interface PeopleSettings {
  readonly privacy: Privacy;
  /** The secret of the hashes. A person has the same hash wherever the key is the same. */
  readonly key: string;
}

/** How the rows of tables are made. */
export interface RowSettings {
  readonly people: PeopleSettings;
  /** Whether there is a table of hunks. */
  readonly hunks: boolean;
}
