import type { NextPart, Part } from "../config/place.ts";
import type { ObjectStore } from "../stores/stores.ts";

/** The name of the object that remembers which part of a mirror was verified last. */
export const drillName = "drill";

/** A part to verify. */
export interface ChosenPart {
  readonly part: Part | undefined;
  /** Remembers that this part was verified, with all steps up to this one. @throws StoreError */
  remember(step: number): Promise<void>;
}

/**
 * Chooses the part after the one that was verified last, or the part that is asked for, which is not remembered. As it is a
 * fact that the mirror has, runs that fail and schedules that change leave no part out. @throws StoreError
 */
export async function chooseNextPart(
  objects: ObjectStore,
  asked: Part | NextPart | undefined,
): Promise<ChosenPart> {
  if (asked?.number !== "next") return { part: asked as Part | undefined, remember: async () => {} };
  const { of } = asked;
  const stored = await objects.get(drillName);
  const part = { number: (numberOf(stored?.text ?? "", of) % of) + 1, of };
  return {
    part,
    async remember(step) {
      const text = `${JSON.stringify({ part: `${part.number}/${of}`, step, finished: new Date().toISOString() })}\n`;
      // Where another run has written meanwhile, that one has verified a part too.
      await objects.putIf(drillName, text, stored?.etag, { contentType: "application/json", metadata: {} });
    },
  };
}

/** Returns the number of the part that was verified last; 0 for none, or where there were others. */
function numberOf(text: string, of: number): number {
  const [, number, parts] = (/"part":"(\d+)\/(\d+)"/.exec(text) ?? []).map(Number);
  return parts === of && number !== undefined ? number : 0;
}
