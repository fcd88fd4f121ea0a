import type { Environment } from "../lib/environment.ts";
import { ConfigError } from "../lib/errors.ts";
import type { Privacy, RowSettings } from "../lib/row-settings.ts";
import { variables } from "./variables.ts";

/** Where a run's tables are, and how their rows are made. */
export interface TablesSettings {
  /** `bucket/prefix`; no slash at the end. */
  readonly destination: string;
  /** Names the files. */
  readonly collection: string;
  readonly rows: RowSettings;
}

const privacies: readonly string[] = ["hash", "plain", "omit"] satisfies Privacy[];
const shortestKey = 16;

/** Reads where the tables are; undefined where none are made. @throws ConfigError with every mistake */
export function readTables(environment: Environment): TablesSettings | undefined {
  const destination = environment[variables.tablesBucket]?.replace(/\/+$/, "");
  if (!destination) return undefined;
  const collection = environment[variables.collection] || "all";
  const { rows, problems } = parseRows(environment);
  if (!/^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[^/]+)+$/.test(destination)) {
    problems.unshift(
      `${variables.tablesBucket} is "${destination}": it must be bucket/prefix, such as my-bucket/tables.`,
    );
  }
  if (!/^[\w-]{1,64}$/.test(collection)) {
    problems.push(`${variables.collection} is "${collection}": it must have letters, digits, - and _ only.`);
  }
  if (rows.people.privacy === "hash" && rows.people.key.length < shortestKey) {
    problems.push(
      `${variables.peopleKey} must be a secret of at least ${shortestKey} characters, from which people's hashes are made; or set ${variables.people} to omit.`,
    );
  }
  if (problems.length > 0) throw new ConfigError(problems);
  return { destination, collection, rows };
}

/** Reads how rows are made on this computer, where the secret is in a file. @throws ConfigError with every mistake */
export function readRowSettings(environment: Environment): RowSettings {
  const { rows, problems } = parseRows(environment);
  if (problems.length > 0) throw new ConfigError(problems);
  return rows;
}

/** Returns the mistakes as texts. The secret is shown in none. */
function parseRows(environment: Environment): { rows: RowSettings; problems: string[] } {
  const privacy = environment[variables.people] || "hash";
  const key = environment[variables.peopleKey] ?? "";
  const hunks = environment[variables.tablesHunks] || "false";
  const problems = [];
  if (!privacies.includes(privacy)) {
    problems.push(
      `${variables.people} is "${privacy}": it must be ${privacies.join(", ")}; leave it unset for hash.`,
    );
  }
  if (!["true", "false"].includes(hunks)) {
    problems.push(`${variables.tablesHunks} is "${hunks}": it must be true or false.`);
  }
  return { rows: { people: { privacy: privacy as Privacy, key }, hunks: hunks === "true" }, problems };
}
