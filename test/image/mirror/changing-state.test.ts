import { expect, test } from "bun:test";
import { changingState } from "../../../image/mirror/changing-state.ts";
import { applyChanges, noState, type RefChange, type State, stateId } from "../../../image/mirror/state.ts";

/** Names whose order by bytes differs from that by UTF-16 code units, and some that are alike. */
const names = ["a", "a-", "a.b", "a/b", "b", "é", "\uffee", "\u{1f600}", "\ue000", "\u{10ffff}", "~"];

/** The same numbers each time. */
function numbers(seed: number) {
  let state = seed;
  return (below: number) => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
    return Math.floor((state / 2 ** 31) * below);
  };
}

test.each([1, 2, 3, 4, 5])(
  "is the state that applying each step's changes to the one before makes (%i)",
  (seed) => {
    const next = numbers(seed);
    const id = () => String(next(10)).repeat(40);
    const state = changingState();
    let oracle: State = noState;
    for (let step = 0; step < 300; step++) {
      const changed = names.filter(() => next(4) === 0);
      const refs = changed.map((name): RefChange => {
        const to = next(3) === 0 ? null : id();
        return [`refs/heads/${name}`, null, to, to !== null && next(2) === 0 ? id() : null];
      });
      // Within one step too, a ref may go and come back.
      const both = [...refs, ...refs.slice(0, 1).map(([name]): RefChange => [name, null, id(), null])];
      const head = `ref: refs/heads/${step % 2}`;
      state.apply({ head, refs: both });
      oracle = applyChanges(oracle, head, both);
      for (const { name, id } of oracle.refs) expect(state.idOf(name)).toBe(id);
      // Not after each step, as restoring does.
      if (next(3) > 0) continue;
      expect(state.now()).toEqual(oracle);
      expect(state.id()).toBe(stateId(oracle));
    }
    expect(state.idOf("refs/heads/none")).toBeUndefined();
  },
);
