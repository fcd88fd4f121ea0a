import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { folderObjects } from "../../../image/stores/folder.ts";
import { deltaOf, importInto } from "../../fixtures/delta.ts";
import { Dead, faultyStore } from "../../fixtures/faulty-store.ts";
import { chainNames, makeTwoChains, objectsIn, type TwoChains } from "../../fixtures/two-chains.ts";
import { runWorker, startWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(120_000);
let chains: TwoChains;
beforeAll(async () => {
  chains = await makeTwoChains(4);
});
afterAll(() => chains[Symbol.asyncDispose]());

const emptyPlace = async () => join(await mkdtemp(join(chains.root, "place-")), "api.git");

describe.each(chainNames)("an import of %s", (chain) => {
  test.each(["dies-before", "dies-after"] as const)(
    "that %s any write is completed by the next one",
    async (fault) => {
      const [first, rest] = [await deltaOf(chains.places[chain]), await deltaOf(chains.places[chain], 2)];
      const right = await objectsIn(chains.places[chain]);
      let deaths = 0;
      for (let write = 1; ; write++) {
        const place = await emptyPlace();
        const dying = faultyStore(folderObjects(place), (number) => (number === write ? fault : undefined));
        const error = await importInto(dying, first).catch((error) => error);
        if (dying.writes() < write) break;
        expect(error).toBeInstanceOf(Dead);
        deaths++;
        // What is there so far is whole, and records name nothing that is not there.
        const after = await objectsIn(place);
        for (const [name, content] of after)
          if (right.has(name) && !/^(HEAD|cursor|info|objects\/info)/.test(name))
            expect(content.equals(right.get(name) ?? content), name).toBe(true);
        if ([...after.keys()].some((name) => name.startsWith("_steps/")))
          for (const name of right.keys())
            if (/\.(pack|idx|diff)$/.test(name)) expect([...after.keys()]).toContain(name);
        await importInto(place, first);
        expect(await objectsIn(place)).toEqual(right);
        await importInto(place, rest);
        expect(await objectsIn(place)).toEqual(right);
      }
      expect(deaths).toBeGreaterThan(chain === "mirror" ? 20 : 7);
    },
  );

  test("whose answers are lost is whole", async () => {
    const delta = await deltaOf(chains.places[chain]);
    for (let write = 1; ; write++) {
      const place = await emptyPlace();
      const store = faultyStore(folderObjects(place), (number) =>
        number === write ? "lost-answer" : undefined,
      );
      await importInto(store, delta);
      expect(await objectsIn(place)).toEqual(await objectsIn(chains.places[chain]));
      if (store.writes() < write) break;
    }
  });

  test("three times at once is whole", async () => {
    const delta = await deltaOf(chains.places[chain]);
    const place = await emptyPlace();
    await Promise.all([1, 2, 3].map((size) => importInto(place, delta, size * 1_000)));
    expect(await objectsIn(place)).toEqual(await objectsIn(chains.places[chain]));
  });

  test("that is killed again and again is whole in the end", async () => {
    const place = await emptyPlace();
    const delta = join(chains.root, `${chain}.tar`);
    await writeFile(delta, await deltaOf(chains.places[chain]));
    const options = { args: ["local", "import", delta, place], cwd: chains.root };
    for (let delay = 100; delay < 600; delay += 50) {
      const running = await startWorker({}, options);
      await sleep(delay);
      running.process.kill("SIGKILL");
      await running.finished;
    }
    expect(await runWorker({}, options)).toMatchObject({ status: 0 });
    expect(await objectsIn(place)).toEqual(await objectsIn(chains.places[chain]));
  });
});
