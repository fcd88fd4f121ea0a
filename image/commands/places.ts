import { resolve } from "node:path";
import type { Arguments } from "../config/arguments.ts";
import { isMirrorPlace, parsePlace } from "../config/place.ts";
import { readAwsAuthorities } from "../config/settings.ts";
import type { Environment } from "../lib/environment.ts";
import { awsHttp } from "../stores/aws-http.ts";
import { openS3 } from "../stores/s3.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** npm runs scripts in the package's folder; INIT_CWD is where npm was called. */
const baseOf = ({ INIT_CWD }: Environment) => INIT_CWD ?? process.cwd();

/** Opens what a person names on the command line: a folder, or a place in S3. */
export async function openPlace(
  text: string,
  environment: Environment,
  signal: AbortSignal,
): Promise<ObjectStore> {
  const place = parsePlace(text, baseOf(environment));
  if ("folder" in place) return (await import("../stores/folder.ts")).folderObjects(place.folder);
  return openS3(environment, awsHttp(readAwsAuthorities(environment))).objects(place.destination, signal);
}

/** Returns the operands of `verify` that are places of mirrors. */
export const placesIn = ({ command, operands }: Arguments, environment: Environment): string[] =>
  command === "verify" ? operands.filter((text) => isMirrorPlace(text, baseOf(environment))) : [];

/** Returns the path of a file or folder that a person names. */
export const pathOf = (name: string, environment: Environment): string => resolve(baseOf(environment), name);

/** Returns the path of a file that a person names; - is stdin or stdout. */
export const fileOf = (name: string, environment: Environment): string =>
  name === "-" ? name : pathOf(name, environment);
