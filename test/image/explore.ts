import { canonical, happen } from "./happen.ts";
import { type Decide, emptyTree, newest, step, type World } from "./model.ts";

/** Follows everything that may happen to its end, and counts the worlds. @throws with the way to the first world that is not as it must be */
export function explore(start: World, decide?: Decide): number {
  const reached = new Map<string, string | undefined>([[JSON.stringify(start), undefined]]);
  const healed = new Set<string>();
  const waiting = [...reached.keys()];
  for (let text = waiting.pop(); text !== undefined; text = waiting.pop()) {
    const world: World = JSON.parse(text);
    const problem = checkChain(world) ?? checkHealing(world, healed, decide);
    if (problem) throw new Error([...way(text).map(brief), text, problem].join("\n"));
    for (const next of happen(world, decide)) {
      const key = JSON.stringify(canonical(next));
      if (reached.has(key)) continue;
      reached.set(key, text);
      waiting.push(key);
    }
  }
  return reached.size;

  function way(text: string): string[] {
    const before = reached.get(text);
    return [...(before === undefined ? [] : way(before)), text];
  }
}

/** Who is where, and what the records and the cursor are. */
function brief(text: string): string {
  const { workers, cursor, head, records }: World = JSON.parse(text);
  const at = workers.map(({ at }) => at.padEnd(6)).join(" ");
  const chain = Object.values(records).map(({ number, from, to, state, diffs }) => {
    return `${number}:${from}-${to}${state === "complete" ? "." : "?"}${diffs.length}`;
  });
  return `${at} | head ${head} | cursor ${cursor ? `${cursor.commit} v${cursor.version}` : "-"} | ${chain.join(" ")}`;
}

/** What holds at every moment. */
function checkChain(world: World): string | undefined {
  const { disturbed } = world;
  const records = Object.values(world.records);
  for (const [index, record] of records.entries()) {
    const { number, from, to, state, previous, expected, last, diffs } = record;
    const before = records[index - 1];
    if (number !== (before ? (before.next ?? before.number + 1) : 1))
      return `${number} is not the next number`;
    if (previous !== (before?.number ?? null)) return `${number} does not follow on the one before it`;
    if (before && before.state !== "complete") return `${number} follows on an unfinished step`;
    if (before && before.to !== (expected ?? from)) return `${number} does not begin where the chain ended`;
    if (before && before.seen > record.seen && !disturbed)
      return `${number} goes to a head older than the chain's`;
    if (diffs.length > 1) return `${number} has two diffs`;
    if (diffs.length > 0 && diffs[0] !== `${from}>${to}`) return `${number} has the diff of another step`;
    if (state === "complete" && from !== to && diffs.length === 0) return `${number} has no diff`;
    if (from !== (last ?? emptyTree)) return `${number} begins elsewhere than the cursor was`;
  }
}

/** Whatever happened: once all are dead, one healthy run brings everything in order. */
function checkHealing(world: World, healed: Set<string>, decide?: Decide): string | undefined {
  const workers = world.workers.map(() => ({ at: "over" as const }));
  const dead: World = { ...world, workers, left: { push: 0, force: 0, hand: 0 } };
  const key = JSON.stringify(dead);
  if (healed.has(key)) return;
  healed.add(key);
  const rested = run(dead, decide);
  if (typeof rested === "string") return rested;
  // What a person did at the very moment of a run, or a cursor that was set to the very head, is in order again only
  // once there is something to collect.
  if (isWhole(rested)) return;
  const excused = world.disturbed || (world.cursor?.byHand && rested.cursor?.byHand);
  if (!excused) return `${JSON.stringify(rested)}\nafter a healthy run the steps do not add up to the cursor`;
  const [head, time] = [`${world.commits + 1}`, world.time + 1];
  const later = run({ ...rested, head, commits: world.commits + 1, time }, decide);
  if (typeof later === "string") return later;
  if (!isWhole(later))
    return `${JSON.stringify(later)}\nafter two healthy runs the steps do not add up to the cursor`;
}

/** The last step is complete, and ends where the cursor is. */
function isWhole(world: World): boolean {
  const tail = newest(world);
  return tail === undefined || (tail.state === "complete" && tail.to === world.cursor?.commit);
}

/** The world after one more run with nobody beside it, or what is wrong with that run. */
function run(world: World, decide?: Decide): World | string {
  const index = world.workers.length;
  let now: World = { ...world, workers: [...world.workers, { at: "idle" }] };
  for (let turn = 0; now.workers[index]?.at !== "over"; turn++) {
    if (turn > 200) return "a healthy run does not come to its end";
    now = step(now, index, decide);
    const problem = checkChain(now);
    if (problem) return `${JSON.stringify(now)}\na healthy run: ${problem}`;
  }
  return now.cursor?.commit === now.head
    ? now
    : `${JSON.stringify(now)}\na healthy run does not reach the head`;
}
