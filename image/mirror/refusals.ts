import { GitError } from "../lib/errors.ts";
import type { MirroredRef, State } from "./state.ts";

/** A ref whose objects the host refuses to send, because it lacks one of them for example. */
export interface Refusal {
  readonly name: string;
  /** Where the ref leads on the host. */
  readonly id: string;
  /** The host's words. */
  readonly reason: string;
}

/** What the host refused in this run, by the name of the ref. */
export type Refusals = Map<string, Refusal>;

/** The id of a commit that HEAD itself contains, which then counts as one more ref; undefined for a branch's name. */
export const detachedHead = ({ head }: Pick<State, "head">): string | undefined =>
  /^[0-9a-f]{40}$/.test(head) ? head : undefined;

/**
 * Returns the state of a host without what it refused: such refs stay where they were, and new ones are left out.
 * @returns also what was refused of it
 */
export function withoutRefused(
  state: State,
  before: State,
  refused: Refusals,
): { readonly state: State; readonly left: readonly Refusal[] } {
  const old = new Map(before.refs.map((ref) => [ref.name, ref]));
  const left: Refusal[] = [];
  const isRefused = (name: string, id: string) => {
    const refusal = refused.get(name);
    if (refusal?.id !== id) return false;
    left.push(refusal);
    return true;
  };
  const refs = state.refs.flatMap((ref): readonly MirroredRef[] => {
    if (!isRefused(ref.name, ref.id)) return [ref];
    return [old.get(ref.name) ?? []].flat();
  });
  const detached = detachedHead(state);
  // HEAD never leads to a branch that is left out.
  const isLost =
    detached === undefined
      ? left.some(({ name }) => state.head === `ref: ${name}` && !old.has(name))
      : isRefused("HEAD", detached);
  return { state: { head: isLost && before.head !== "" ? before.head : state.head, refs }, left };
}

const namesShown = 5;

export function refRefused(refusals: readonly Refusal[]): GitError {
  const names = refusals.slice(0, namesShown).map(({ name }) => name);
  const more = refusals.length > namesShown ? ` and ${refusals.length - namesShown} more` : "";
  return new GitError(
    "ref-refused",
    `The host does not send ${names.join(", ")}${more}: ${refusals[0]?.reason ?? ""}`,
    "The mirror keeps their old values, and has everything else. Have the host's repository repaired (git fsck). The next run asks again.",
  );
}
