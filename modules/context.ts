import { ConfigurationError } from "./configuration-error.ts";
import { readJson } from "./json-file.ts";

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Returns `context` of cdktf.json. Throws a ConfigurationError unless it has the key `gitDiff`. */
export function readContext(path: string): Record<string, unknown> {
  const file = readJson(path);
  const context = isObject(file) ? file.context : undefined;
  if (isObject(context) && "gitDiff" in context) return context;
  const keys = (value: unknown) => (isObject(value) ? Object.keys(value) : []);
  const inContext = keys(context).find(isSimilar);
  const elsewhere = keys(file).find((key) => key === "gitDiff" || isSimilar(key));
  let remedy =
    'write "context": { "gitDiff": { "region": "eu-west-1", "repositories": [{ "name": "api", "url": "https://github.com/acme/api.git" }] } }';
  if (elsewhere) remedy = `move "${elsewhere}" into "context": { }, and call it "gitDiff"`;
  if (keys(context).includes("region")) remedy = 'write "gitDiff": { } around the keys of context';
  if (inContext) remedy = `rename context.${inContext} to gitDiff`;
  throw new ConfigurationError(`cdktf.json: context.gitDiff (missing) is required; ${remedy}`);
}

/** Returns whether a key is most likely a misspelt `gitDiff`: it has nearly the same letters. */
function isSimilar(key: string): boolean {
  const letters = new Set(key.toLowerCase().replace(/[^a-z]/g, ""));
  const shared = [..."gitdf"].filter((letter) => letters.has(letter)).length;
  return shared >= 4 && letters.size <= 6;
}
