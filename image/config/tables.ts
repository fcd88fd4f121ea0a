import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import type { PeopleSettings, Privacy } from "../lib/people-settings.ts";
import { variables } from "./variables.ts";

/** Where a run's tables are. */
export interface TablesSettings {
  /** `bucket/prefix`; no slash at the end. */
  readonly destination: string;
  /** Names the files. */
  readonly collection: string;
  readonly people: PeopleSettings;
}

const privacies: readonly string[] = ["hash", "plain", "omit"] satisfies Privacy[];
const shortestKey = 16;

/** Reads where the tables are; undefined where none are made. @throws ConfigError with every mistake */
export function readTables(environment: Environment): TablesSettings | undefined {
  const destination = environment[variables.tablesBucket]?.replace(/\/+$/, "");
  if (!destination) return undefined;
  const collection = environment[variables.collection] || "all";
  const people = readPeople(environment);
  const problems = [
    ...(/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^/]+)+$/.test(destination)
      ? []
      : [
          `${variables.tablesBucket} is "${destination}": it must be bucket/prefix, such as my-bucket/tables.`,
        ]),
    ...(/^[\w-]{1,64}$/.test(collection)
      ? []
      : [`${variables.collection} is "${collection}": it must have letters, digits, - and _ only.`]),
    ...(typeof people === "string" ? [people] : []),
  ];
  if (problems.length > 0 || typeof people === "string") throw new ConfigError(problems);
  return { destination, collection, people };
}

/** Reads how people appear in tables. Returns the mistake as a text. The secret is shown in none. */
function readPeople(environment: Environment): PeopleSettings | string {
  const privacy = environment[variables.people] || "hash";
  const key = environment[variables.peopleKey] ?? "";
  if (!privacies.includes(privacy))
    return `${variables.people} is "${privacy}": it must be ${privacies.join(", ")}; leave it unset for hash.`;
  if (privacy === "hash" && key.length < shortestKey) {
    return `${variables.peopleKey} must be a secret of at least ${shortestKey} characters, from which people's hashes are made; or set ${variables.people} to omit.`;
  }
  return { privacy: privacy as Privacy, key };
}
