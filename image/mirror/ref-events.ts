import type { CompleteMirrorStep } from "./record.ts";

/** A ref that a step has taken something from: its old value is in the mirror alone from now on. */
export type RefEvent =
  | { readonly event: "ref-deleted"; readonly ref: string; readonly from: string }
  | {
      readonly event: "ref-rewritten";
      readonly ref: string;
      readonly from: string;
      readonly to: string;
      /** false: whether the new value descends from the old one was too much to find out. */
      readonly certain: boolean;
    };

/** Returns what a step has deleted and rewritten. */
export function refEvents({ refs, rewritten = [], undecided = [] }: CompleteMirrorStep): RefEvent[] {
  const [known, unknown] = [new Set(rewritten), new Set(undecided)];
  return refs.flatMap(([ref, from, to]): RefEvent[] => {
    if (from !== null && to === null) return [{ event: "ref-deleted", ref, from }];
    if (from === null || to === null || !(known.has(ref) || unknown.has(ref))) return [];
    return [{ event: "ref-rewritten", ref, from, to, certain: known.has(ref) }];
  });
}
