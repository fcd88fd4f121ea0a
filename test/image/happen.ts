import { decide } from "../../image/protocol.ts";
import { type Decide, emptyTree, over, type Record, step, type World, written } from "./model.ts";

/** A repository of one commit, or of two with a cursor at the first that another program has left. */
export function begin(workers: number, left: World["left"], cursorLeft = false): World {
  const idle = Array.from({ length: workers }, () => ({ at: "idle" as const }));
  const cursor = { commit: "1", version: 3, life: 0, before: undefined, byHand: false };
  const commits = cursorLeft ? 2 : 1;
  return {
    cursor: cursorLeft ? cursor : undefined,
    lives: 0,
    records: {},
    head: `${commits}`,
    time: 0,
    commits,
    workers: idle,
    left,
  };
}

/** Everything that may happen next: a worker goes on or is killed, the head moves, a person sets the cursor. */
export function* happen(world: World, deciding: Decide = decide): Generator<World> {
  const { workers, left, commits, head, time } = world;
  for (const [index, { at }] of workers.entries()) {
    if (at === "over") continue;
    yield step(world, index, deciding);
    if (at !== "idle") yield { ...world, workers: workers.with(index, over) };
  }
  if (workers.every(({ at }) => at === "over")) return;
  const known = Array.from({ length: commits }, (_, each) => `${each + 1}`);
  if (left.push > 0) {
    const push = left.push - 1;
    yield { ...world, head: `${commits + 1}`, commits: commits + 1, time: time + 1, left: { ...left, push } };
  }
  if (left.force > 0) {
    const force = left.force - 1;
    for (const commit of known.filter((commit) => commit !== head)) {
      yield { ...world, head: commit, time: time + 1, left: { ...left, force } };
    }
  }
  if (left.hand > 0) {
    const disturbed = world.disturbed || workers.some(({ at }) => at !== "idle" && at !== "over");
    const then = { ...world, disturbed, left: { ...left, hand: left.hand - 1 } };
    if (world.cursor) yield { ...then, cursor: undefined, lives: world.lives + 1 };
    for (const commit of [emptyTree, ...known]) yield written(then, commit, true);
  }
}

/** The same world with its workers in an order of their own: which is which makes no difference. */
export function canonical(world: World): World {
  const order = world.workers
    .map((worker, index) => ({ index, text: JSON.stringify(worker) }))
    .sort((one, other) => (one.text < other.text ? -1 : one.text > other.text ? 1 : one.index - other.index))
    .map(({ index }) => index);
  if (order.every((index, at) => index === at)) return world;
  const renamed = <R extends Record | undefined>(record: R): R =>
    record && { ...record, owner: order.indexOf(record.owner) };
  const workers = order.map((index) => {
    const worker = world.workers[index] ?? over;
    const { tail, held, living } = worker;
    return {
      ...worker,
      tail: renamed(tail),
      held: renamed(held),
      living: living?.map((each) => order.indexOf(each)).sort(),
    };
  });
  const records = Object.fromEntries(
    Object.values(world.records).map((record) => [record.number, renamed(record)]),
  );
  return { ...world, records, workers };
}
