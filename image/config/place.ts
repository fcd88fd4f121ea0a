import { existsSync } from "node:fs";
import { join, resolve } from "node:path";
import { ConfigError } from "../lib/errors.ts";
import type { Arguments, Options } from "./arguments.ts";

/** Where results are that a command reads: a folder, or a `bucket/prefix` of S3. */
export type Place = { readonly folder: string } | { readonly destination: string };

/** Parses `s3://bucket/prefix`, or the path of a folder. A relative path begins at `base`. */
export function parsePlace(text: string, base: string): Place {
  const [, destination] = /^s3:\/\/(.+?)\/*$/.exec(text) ?? [];
  return destination === undefined ? { folder: resolve(base, text) } : { destination };
}

/** Tells a mirror's place from a repository, which has neither records nor such a cursor. */
export function isMirrorPlace(text: string, base: string): boolean {
  const place = parsePlace(text, base);
  if ("destination" in place) return true;
  const has = (name: string) => existsSync(join(place.folder, name));
  return (has("_steps") || has("cursor")) && (has("objects") || place.folder.endsWith(".git"));
}

/** One of several parts of a work, from 1. */
export interface Part {
  readonly number: number;
  readonly of: number;
}

/** The part after the one that was checked last. */
export interface NextPart {
  readonly number: "next";
  readonly of: number;
}

/** Parses --part, such as 2/7 or next/7. @throws ConfigError */
export function parsePart({ part }: Options): Part | NextPart | undefined {
  if (part === undefined) return undefined;
  const [, parts = 0] = (/^next\/([1-9]\d{0,3})$/.exec(part) ?? []).map(Number);
  if (parts > 0) return { number: "next", of: parts };
  const [, number = 0, of = 0] = (/^(\d{1,4})\/(\d{1,4})$/.exec(part) ?? []).map(Number);
  if (number >= 1 && number <= of) return { number, of };
  throw new ConfigError([
    `--part is "${part}", which is no part; write 2/7 for the second of seven, or next/7.`,
  ]);
}

/** Parses --at and --step. @throws ConfigError */
export function parseMoment({ at, step }: Options): { readonly at?: Date; readonly step?: number } {
  if (at !== undefined && step !== undefined)
    throw new ConfigError(["--at and --step are both given: use one."]);
  if (step !== undefined && !/^[1-9]\d{0,9}$/.test(step))
    throw new ConfigError(["--step is no number of a step."]);
  const time = at === undefined ? undefined : new Date(at);
  if (time && Number.isNaN(time.getTime()))
    throw new ConfigError(["--at is no time; write it as in 2026-01-02T00:00:00Z."]);
  return { ...(time && { at: time }), ...(step && { step: Number(step) }) };
}

/** What `restore` makes: a repository in this folder, one on a host, or both. */
export interface Target {
  readonly folder: string | undefined;
  /** The URL or path of the repository to push to. */
  readonly push: string | undefined;
  /** Whether refs that the mirror never had are deleted there. */
  readonly exact: boolean;
}

/** An option without its value is `true`, whatever its type says. */
const isText = (value: unknown) => typeof value === "string" && value !== "";

/** Parses the operands and options of `restore`. @throws ConfigError with every mistake */
export function parseTarget({ operands: [, folder], options: { push, exact } }: Arguments): Target {
  const problems = [
    ...(folder || push !== undefined
      ? []
      : ["restore is followed by PLACE and DIR, unless --push names a repository."]),
    ...(push === undefined || isText(push) ? [] : ["--push names no repository: give a URL or a path."]),
    ...(exact && push === undefined ? ["--exact is an option of --push."] : []),
  ];
  if (problems.length > 0) throw new ConfigError(problems);
  return { folder, push, exact: exact === true };
}

/** Parses REF:PATH; an empty path is the topmost folder. @throws ConfigError */
export function parsePath(text: string): { readonly ref: string; readonly path: string } {
  // The name of a ref has no colon.
  const [, ref, path] = /^([^:]+):(.*)$/s.exec(text) ?? [];
  if (ref !== undefined && path !== undefined) return { ref, path };
  throw new ConfigError([`"${text}" is no REF:PATH; write it as in main:docs/index.md.`]);
}
