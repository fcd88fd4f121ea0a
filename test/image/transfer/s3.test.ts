import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { type Aws, startAws } from "../../fixtures/aws.ts";
import { chainNames, makeTwoChains, objectsIn, type TwoChains } from "../../fixtures/two-chains.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(300_000);
let chains: TwoChains;
let aws: Aws;
beforeAll(async () => {
  [chains, aws] = await Promise.all([makeTwoChains(0), startAws()]);
});
afterAll(async () => {
  await Promise.all([chains[Symbol.asyncDispose](), aws.close()]);
});

const entryFor = (bucket: string, collect: readonly string[]) =>
  JSON.stringify([
    { gitRepo: chains.url, parameterName: `/${bucket}`, resultsBucket: `${bucket}/api`, collect },
  ]);

async function run(args: readonly string[], environment: Record<string, string> = {}) {
  const ran = await runWorker({ ...aws.environment, ...environment }, { args, cwd: chains.root });
  expect({ args, ...ran }).toMatchObject({ args, status: 0, stderr: "", left: [] });
  return ran.events;
}

/** Returns the objects of a bucket: names, bytes, metadata. */
async function stored(bucket: string): Promise<[string, string, Record<string, string>][]> {
  const names = await aws.objects(bucket);
  return Promise.all(
    names.map(async (name) => [
      name,
      Buffer.from(await aws.body(bucket, name)).toString("latin1"),
      await aws.metadata(bucket, name),
    ]),
  );
}

test("deltas between buckets, and from a bucket to a folder, make the same objects", async () => {
  const [here, there] = await Promise.all([aws.createBucket(), aws.createBucket()]);
  const places = { mirror: "api.git", diffs: "api" };
  const since: Record<string, string> = {};
  for (const _ of [1, 2, 3]) {
    await chains.change();
    await run([], { REPOSITORIES: entryFor(here, ["diffs", "mirror"]) });
    for (const chain of chainNames) {
      const delta = join(chains.root, `${chain}.tar`);
      const after = since[chain] ? ["--since", since[chain]] : [];
      await run(["local", "export", `s3://${here}/${places[chain]}`, ...after, "--output", delta]);
      await run(["local", "import", delta, `s3://${there}/${places[chain]}`]);
      await run(["local", "import", delta, join(chains.root, places[chain])]);
      since[chain] = String(Number(since[chain] ?? 0) + 1);
    }
    expect(await stored(there)).toEqual(await stored(here));
  }
  expect(await aws.uploads(there)).toEqual([]);
  const inFolders = await Promise.all(
    chainNames.map(async (chain) => {
      const objects = await objectsIn(join(chains.root, places[chain]));
      return [...objects].map(([name, content]) => [`${places[chain]}/${name}`, content.toString("latin1")]);
    }),
  );
  const inBucket = (await stored(there)).map(([name, content]) => [name, content]);
  expect(inFolders.flat().sort()).toEqual(inBucket.sort());
  const [verified] = await run(["verify", "--replay"], { REPOSITORIES: entryFor(there, ["diffs"]) });
  // The cursor is no object of the chain: the first run there creates it.
  expect(verified).toMatchObject({ event: "finding", code: "cursor-missing", level: "note" });
  const [mirror] = await run(["local", "verify", "--replay", `s3://${there}/${places.mirror}`]);
  expect(mirror).toMatchObject({ event: "verified", holds: true, steps: 3 });
  await chains.change();
  const collected = await run([], { REPOSITORIES: entryFor(there, ["diffs", "mirror"]) });
  expect(collected.map(({ event, number }) => [event, number])).toContainEqual(["collected", 4]);
  expect(collected.map(({ event, number }) => [event, number])).toContainEqual(["mirrored", 4]);
});
