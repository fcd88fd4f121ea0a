import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { git } from "../../fixtures/git.ts";
import {
  type ChainName,
  chainNames,
  changes,
  makeTwoChains,
  objectsIn,
  type TwoChains,
} from "../../fixtures/two-chains.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(300_000);
let chains: TwoChains;
beforeAll(async () => {
  chains = await makeTwoChains(0);
});
afterAll(() => chains[Symbol.asyncDispose]());

/** Runs a command of the worker with nothing in its environment, and expects success. */
async function run(args: readonly string[], cwd = chains.root) {
  const ran = await runWorker({}, { args: ["local", ...args], cwd });
  expect({ args, ...ran }).toMatchObject({ args, status: 0, stderr: "", left: [] });
  return ran.events.at(-1) ?? { event: "" };
}

/** Returns the refs of a mirror's state, restored and whole. */
async function refsOf(place: string, step: number, folder: string): Promise<string> {
  await run(["restore", place, folder, "--step", String(step)]);
  const inside = ["--git-dir", folder];
  await git([...inside, "fsck", "--full", "--no-dangling"]);
  return (await git([...inside, "for-each-ref", "--format=%(refname) %(objectname)"])).toString();
}

test("ten deltas, one after the other, make the same folders without network and AWS", async () => {
  const there = join(chains.root, "there");
  const places = {
    mirror: join(there, "mirror.git"),
    diffs: chains.places.diffs.replace("/here/", "/there/"),
  };
  const since: Record<ChainName, number | null> = { mirror: null, diffs: null };
  const states: string[] = [];
  for (const _ of changes) {
    await chains.change();
    await chains.collect();
    states.push(
      (
        await git(["-C", chains.repository.path, "for-each-ref", "--format=%(refname) %(objectname)"])
      ).toString(),
    );
    const carry = async (chain: ChainName) => {
      const delta = join(chains.root, `${chain}.tar`);
      const after = since[chain] === null ? [] : ["--since", String(since[chain])];
      const exported = await run(["export", chains.places[chain], ...after, "--output", delta]);
      const imported = await run(["import", delta, places[chain]]);
      const { steps, files, to } = exported;
      expect(exported).toMatchObject({ event: "exported", chain, since: since[chain], output: delta });
      expect(imported).toMatchObject({ event: "imported", chain, since: since[chain], steps, files, to });
      // The deletions have no object, and nothing to collect.
      expect(steps).toBe(chain === "diffs" && states.length === 5 ? 0 : 1);
      expect(exported.until).toBe((since[chain] ?? 0) + steps);
      since[chain] = imported.until;
      expect(await objectsIn(places[chain])).toEqual(await objectsIn(chains.places[chain]));
    };
    await Promise.all(chainNames.map(carry));
  }
  expect(since).toEqual({ mirror: 11, diffs: 10 });
  await chains.host.close();
  for (const [index, state] of states.entries())
    expect(await refsOf(places.mirror, index + 1, join(there, `${index}`))).toBe(state);
  expect(await run(["verify", "--replay", chains.url], there)).toMatchObject({
    event: "summary",
    failed: [],
  });
  expect(await run(["verify", "--replay", places.mirror])).toMatchObject({ event: "summary", failed: [] });
  // One delta of all steps brings the same, and where all is there, nothing.
  for (const chain of chainNames) {
    const [delta, whole] = [join(chains.root, "whole.tar"), join(there, `whole-${chain}`)];
    await run(["export", places[chain], "--output", delta]);
    await run(["import", delta, `${whole}.git`]);
    if (chain === "mirror") expect(await objectsIn(`${whole}.git`)).toEqual(await objectsIn(places.mirror));
    expect(await run(["import", delta, places[chain]])).toMatchObject({ steps: 0, files: 0 });
    expect(await objectsIn(places[chain])).toEqual(await objectsIn(chains.places[chain]));
  }
});
