import { type Adoption, type Decision, decide, type View } from "../../image/protocol.ts";
import type { StepRecord } from "../../image/step.ts";

/** A step record, with what the real one does not know: when its `to` was the head, and which diffs it has stored. */
export interface Record {
  readonly state: "claimed" | "complete";
  readonly number: number;
  readonly from: string;
  readonly to: string;
  readonly last: string | null;
  readonly cursor: string | null;
  readonly previous: number | null;
  readonly expected: string | null;
  readonly next?: number;
  readonly owner: number;
  readonly revision: number;
  readonly seen: number;
  readonly diffs: readonly string[];
}

interface Cursor {
  readonly commit: string;
  readonly version: number;
  /** Counts how often the cursor was deleted. */
  readonly life: number;
  readonly before: string | undefined;
  readonly byHand: boolean;
}

type At = "cursor" | "head" | "look" | "list" | "get" | "again" | "act" | "store" | "finish" | "put" | "back";

interface Worker {
  readonly at: At | "idle" | "over";
  readonly later?: boolean;
  readonly cursor?: Cursor;
  readonly head?: string;
  readonly seen?: number;
  /** The runs that were at work, or were yet to begin, when the worker began its look. */
  readonly living?: readonly number[];
  readonly tail?: Record;
  /** Whether the tail's owner was among them. */
  readonly live?: boolean;
  readonly held?: Record;
  /** What it does with what it holds: the step, the move alone, or an adoption unless the diff is there. */
  readonly goal?: "step" | "move" | Adoption;
  readonly theirs?: string;
}

export interface World {
  readonly cursor?: Cursor;
  readonly lives: number;
  readonly records: { readonly [number: number]: Record };
  readonly head: string;
  /** Counts the moves of the head. */
  readonly time: number;
  readonly commits: number;
  readonly workers: readonly Worker[];
  /** Whether a person touched the cursor while a run was at work. */
  readonly disturbed?: boolean;
  /** How often something may still happen. */
  readonly left: { readonly push: number; readonly force: number; readonly hand: number };
}

export type Decide = (view: View) => Decision;

export const emptyTree = "0";
export const over: Worker = { at: "over" };

export const newest = ({ records }: World): Record | undefined => Object.values(records).at(-1);
const identity = (cursor: Cursor | undefined) => (cursor ? `${cursor.version}@${cursor.life}` : null);

export const written = (world: World, commit: string, byHand = false): World => {
  const { cursor, lives } = world;
  const [version, life] = cursor ? [cursor.version + 1, cursor.life] : [1, lives];
  return { ...world, cursor: { commit, version, life, before: cursor?.commit, byHand } };
};
const stored = (world: World, record: Record): World => ({
  ...world,
  records: { ...world.records, [record.number]: record },
});

/** The one next thing that the worker does, as `collect` does it: at once, and nothing else in between. */
export function step(world: World, index: number, deciding: Decide = decide): World {
  const worker = world.workers[index] ?? over;
  const become = (change: Partial<Worker> | typeof over, then = world): World => ({
    ...then,
    workers: then.workers.map((each, at) =>
      at !== index ? each : change === over ? over : { ...each, ...change },
    ),
  });
  const again = (then = world) =>
    become(
      {
        at: "cursor",
        later: true,
        cursor: undefined,
        tail: undefined,
        live: undefined,
        held: undefined,
        goal: undefined,
      },
      then,
    );
  /** Changes a record from what is held, if it is still that. */
  const change = (held: Record, by: Partial<Record>): Record | undefined => {
    const now = world.records[held.number];
    if (now?.revision !== held.revision) return undefined;
    return { ...held, ...by, diffs: now.diffs, revision: held.revision + 1 };
  };
  const { cursor, head = "", seen = 0, tail, held, goal } = worker;
  const looked = (tail: Record | undefined) => ({
    tail,
    live: tail && worker.living?.includes(tail.owner),
    living: undefined,
  });
  const own = (held: Record, goal: Worker["goal"], at: At = "store") =>
    become({ at, held, goal, tail: undefined, live: undefined, living: undefined }, stored(world, held));

  switch (worker.at) {
    case "over":
      return world;
    case "idle":
    case "cursor": {
      const living = world.workers.flatMap(({ at }, each) => (at === "over" ? [] : [each]));
      return become({ at: worker.later ? "list" : "head", cursor: world.cursor, living });
    }
    case "head":
      return become({ at: worker.later ? "act" : "look", head: world.head, seen: world.time });
    case "look": {
      if (cursor === undefined) return become({ at: "list" });
      if (cursor.commit === head) {
        const begun = Object.values(world.records).some(({ number }) => number > cursor.version);
        return become({ at: begun ? "list" : "act" });
      }
      const found = world.records[cursor.version];
      const right = found?.state === "complete" && found.to === cursor.commit;
      return become(right ? { at: "act", ...looked(found) } : { at: "list" });
    }
    case "list":
      return become({ at: newest(world) ? "get" : "act", tail: newest(world) });
    case "get":
      return become({ at: "again", ...looked(world.records[tail?.number ?? 0]) });
    case "again":
      return identity(world.cursor) === identity(cursor) ? become({ at: "head", later: true }) : again();
    case "act":
      return act();
    case "store": {
      if (held === undefined) break;
      const diff = `${held.from}>${held.to}`;
      if (typeof goal === "object") {
        if (held.diffs.length > 0) return become({ at: "finish" });
        const { to } = goal;
        const now = { state: "complete", from: to, last: to, cursor: identity(cursor) } as const;
        const adopted = change(held, { ...now, ...goal });
        return adopted ? again(stored(world, adopted)) : become(over);
      }
      if (held.to === held.last) return become({ at: "finish" });
      const now = world.records[held.number] ?? held;
      const diffs = [...new Set([...now.diffs, diff])];
      return become({ at: "finish" }, stored(world, { ...now, diffs }));
    }
    case "finish": {
      const complete = held && change(held, { state: "complete" });
      if (complete === undefined) return become(over);
      const then = stored(world, complete);
      return goal === "step" ? become({ at: "put", held: complete }, then) : again(then);
    }
    case "put": {
      if (held === undefined) break;
      const then = goal === "step" && held.to === head ? (world: World) => become(over, world) : again;
      if (cursor === undefined) {
        if (world.cursor === undefined) return then(written(world, held.to));
        return world.cursor.commit === held.to ? then(world) : become(over);
      }
      // Deleted meanwhile: the write makes it again.
      if (world.cursor === undefined) return then(written(world, held.to));
      const moved = written(world, held.to);
      const theirs = world.cursor.commit;
      const fine =
        moved.cursor?.version === cursor.version + 1 || theirs === held.to || theirs === cursor.commit;
      if (fine) return then(moved);
      return become({ at: "back", theirs }, moved);
    }
    case "back":
      return become(over, world.cursor ? written(world, worker.theirs ?? "", true) : world);
  }
  throw new Error("A worker lost what it held.");

  function act(): World {
    const claimed = new Date(worker.live ? 1_000 : 0).toISOString();
    const decision = deciding({
      cursor: cursor && { ...cursor, identity: identity(cursor) ?? "" },
      tail: tail && ({ ...tail, claimed } as unknown as StepRecord),
      head,
      now: 1_000,
      leaseMilliseconds: 500,
    });
    const create = (number: number, from: string, more: Partial<Record>): Record | undefined =>
      world.records[number]
        ? undefined
        : {
            state: "claimed",
            number,
            from,
            to: head,
            last: cursor?.commit ?? null,
            cursor: identity(cursor),
            previous: tail?.number ?? null,
            expected: null,
            owner: index,
            revision: 1,
            seen,
            diffs: [],
            ...more,
          };
    switch (decision.do) {
      case "rest":
      case "leave":
        return become(over);
      case "restore":
        if (world.cursor === undefined) return again(written(world, decision.to));
        return world.cursor.commit === decision.to ? again() : become(over);
      case "adopt": {
        const { number, adoption } = decision;
        const made = create(number, adoption.to, { state: "complete", ...adoption, seen: tail?.seen ?? 0 });
        return made
          ? become({ at: "act", later: true, tail: made, live: true }, stored(world, made))
          : again();
      }
      case "move": {
        const mine = tail && change(tail, { owner: index });
        return mine ? own(mine, "move", "put") : again();
      }
      case "claim": {
        const mine = create(decision.number, decision.from ?? emptyTree, {});
        return mine ? own(mine, "step") : again();
      }
      case "finish": {
        const mine = tail && change(tail, { owner: index });
        return mine ? own(mine, decision.instead ?? "step") : again();
      }
    }
  }
}
