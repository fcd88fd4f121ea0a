import { ConfigurationError } from "./configuration-error.ts";
import { readJson } from "./json-file.ts";
import { similar } from "./similar.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns `context` of cdktf.json. Throws a ConfigurationError unless it has the key `gitDiff`. */
export function readContext(path: string): Record<string, unknown> {
  const file = readJson(path);
  const context = isObject(file) ? file.context : undefined;
  if (isObject(context) && "gitDiff" in context) return context;
  const keys = (value: unknown) => (isObject(value) ? Object.keys(value) : []);
  const isMeant = (key: string) => similar(key, ["gitDiff"]) !== undefined;
  const inContext = keys(context).find(isMeant);
  const elsewhere = keys(file).find(isMeant);
  let remedy =
    'write "context": { "gitDiff": { "region": "eu-west-1", "repositories": [{ "name": "api", "url": "https://github.com/acme/api.git" }] } }';
  if (elsewhere) remedy = `move "${elsewhere}" into "context": { }, and call it "gitDiff"`;
  if (keys(context).includes("region")) remedy = 'write "gitDiff": { } around the keys of context';
  if (inContext) remedy = `rename context.${inContext} to gitDiff`;
  throw new ConfigurationError(`cdktf.json: context.gitDiff (missing) is required; ${remedy}`);
}
