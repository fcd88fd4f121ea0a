import { createHash } from "node:crypto";

/** A ref of a mirrored repository. */
export interface MirroredRef {
  /** The full name, such as refs/heads/main. */
  readonly name: string;
  readonly id: string;
  /** What an annotated tag leads to in the end; null for any other ref. */
  readonly peeled: string | null;
}

/** The refs of a repository at one moment, as a bare repository has them in its files. */
export interface State {
  /** What HEAD contains: `ref: refs/heads/main`, or the id of a commit. */
  readonly head: string;
  /** By name, in the order of its bytes. */
  readonly refs: readonly MirroredRef[];
}

/** One change of a ref: its name, its old and its new id, and what the new one leads to. null for none. */
export type RefChange = readonly [
  name: string,
  from: string | null,
  to: string | null,
  peeled: string | null,
];

export const headFile = ({ head }: Pick<State, "head">): string => `${head}\n`;

/** The lines of a ref in info/refs, the file of the dumb HTTP protocol: https://git-scm.com/docs/http-protocol */
export const infoRefsLines = ({ name, id, peeled }: MirroredRef): string =>
  `${id}\t${name}\n${peeled ? `${peeled}\t${name}^{}\n` : ""}`;

export const infoRefsFile = ({ refs }: State): string => refs.map(infoRefsLines).join("");

/** The id of a state, which anybody can compute: `cat HEAD info/refs | git hash-object --stdin`. */
export const stateId = (state: State): string => idOfFiles(headFile(state), infoRefsFile(state));

/** Returns the id of the state in the two files. */
export function idOfFiles(head: string, infoRefs: string): string {
  const content = Buffer.from(head + infoRefs);
  return createHash("sha1").update(`blob ${content.length}\0`).update(content).digest("hex");
}

/** Reads a state from the two files. Undefined where they are no such files. */
export function parseState(head: string, infoRefs: string): State | undefined {
  const refs: MirroredRef[] = [];
  // A name may contain what only Unicode takes for the end of a line.
  for (const line of infoRefs.split("\n").slice(0, -1)) {
    const [, id = "", name = "", isPeeled] = /^([0-9a-f]{40})\t(.+?)(\^\{\})?$/s.exec(line) ?? [];
    const last = refs.at(-1);
    if (!isPeeled) refs.push({ name, id, peeled: null });
    else if (last?.name === name) refs[refs.length - 1] = { ...last, peeled: id };
  }
  const state = { head: head.replace(/\n$/, ""), refs };
  return headFile(state) === head && infoRefsFile(state) === infoRefs ? state : undefined;
}

/** Returns what changed from one state to another, by name. */
export function changesBetween(before: State, after: State): RefChange[] {
  const old = new Map(before.refs.map((ref) => [ref.name, ref]));
  const now = new Map(after.refs.map((ref) => [ref.name, ref]));
  const names = sortNames(new Set([...old.keys(), ...now.keys()]));
  return names.flatMap((name): RefChange[] => {
    const [from, to] = [old.get(name), now.get(name)];
    if (from?.id === to?.id && from?.peeled === to?.peeled) return [];
    return [[name, from?.id ?? null, to?.id ?? null, to?.peeled ?? null]];
  });
}

/** Applies changes to a state, also where some or all of them have been applied already. */
export function applyChanges({ refs }: State, head: string, changes: readonly RefChange[]): State {
  const now = new Map(refs.map((ref) => [ref.name, ref]));
  for (const [name, , id, peeled] of changes) {
    if (id === null) now.delete(name);
    else now.set(name, { name, id, peeled });
  }
  return { head, refs: sortNames(now.keys()).flatMap((name) => now.get(name) ?? []) };
}

/** Compares names as git does: by their bytes. */
export const compareNames = (a: string, b: string): number => Buffer.compare(Buffer.from(a), Buffer.from(b));

/** Sorts names as git does: by their bytes. */
export function sortNames(names: Iterable<string>): string[] {
  return [...names]
    .map((name) => ({ name, bytes: Buffer.from(name) }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ name }) => name);
}

/** The state before anything was mirrored. */
export const noState: State = { head: "", refs: [] };
