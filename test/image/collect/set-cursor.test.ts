import {
  afterAll,
  afterEach,
  beforeAll,
  beforeEach,
  describe,
  expect,
  setDefaultTimeout,
  test,
} from "bun:test";
import { createHash } from "node:crypto";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { DeleteParameterCommand } from "@aws-sdk/client-ssm";
import type { CompleteStep } from "../../../image/chain/record.ts";
import { expireLease, readRecords } from "../../fixtures/chain-checker.ts";
import { openRandomRuns, type RandomRuns } from "../../fixtures/random-runs.ts";
import { EMPTY_TREE } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);
let testbed: Testbed;
let random: RandomRuns;
let seed = 60_000;
/** The commits of the chain's first steps, each collected by a run of its own. */
let collected: string[];

beforeAll(async () => {
  testbed = await openTestbed();
});
afterAll(() => testbed.close());
beforeEach(async () => {
  testbed.reset();
  random = await openRandomRuns(testbed, ++seed);
  collected = [await random.history.repository.head()];
  await random.heal();
  for (let day = 0; day < 2; day++) await collect();
});
afterEach(() => random[Symbol.asyncDispose]());

/** One commit more, and the AWS calls of the run that collects it. */
async function collect(): Promise<string[]> {
  collected.push(await random.history.commit());
  testbed.aws.calls.length = 0;
  expect(await random.run()).toMatchObject({ status: "collected" });
  const calls = testbed.aws.calls.map(({ operation }) => operation);
  await random.check();
  return calls;
}
const setCursor = (commit: string) => testbed.aws.putParameter(random.target.parameter, commit);
const deleteCursor = () =>
  testbed.aws.ssm.send(new DeleteParameterCommand({ Name: random.target.parameter }));
const chain = () => readRecords(testbed.aws, random.target.bucket);
const ends = async () => (await chain()).map(({ from, to }) => [from, to]);
const cheap = ["GetParameter", "GetObject", "PutObject", "PutObject", "PutObject", "PutParameter"];

describe("deleted by mistake", () => {
  test("it is recreated at the end of the chain, nothing is stored twice, and the chain continues", async () => {
    await deleteCursor();
    const head = await random.history.commit();
    expect(await random.run()).toMatchObject({ status: "collected" });
    expect(await random.target.cursor()).toEqual({ value: head, version: 2, type: "String" });
    const [a = "", b = "", c = ""] = collected;
    expect(await ends()).toEqual([
      [EMPTY_TREE, a],
      [a, b],
      [b, c],
      [c, head],
    ]);
    for (let day = 0; day < 3; day++) await collect();
    expect(await chain()).toHaveLength(7);
    expect((await random.target.cursor())?.version).toBe(5);
  });

  test("with nothing new to collect, it is recreated", async () => {
    await deleteCursor();
    expect(await random.run()).toEqual({ status: "unchanged", commit: collected[2] as string });
    expect(await random.target.cursor()).toEqual({
      value: collected[2] as string,
      version: 1,
      type: "String",
    });
    expect(await random.check()).toHaveLength(3);
  });

  test("repeatedly, and after the first step", async () => {
    await using first = await openRandomRuns(testbed, ++seed);
    for (let day = 1; day <= 4; day++) {
      await first.heal();
      expect(await first.check()).toHaveLength(day);
      await testbed.aws.ssm.send(new DeleteParameterCommand({ Name: first.target.parameter }));
      await first.history.commit();
    }
  });

  test("during a run: the run recreates it", async () => {
    const head = await random.history.commit();
    testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run: deleteCursor } });
    expect(await random.run()).toMatchObject({ status: "collected" });
    expect(await random.target.cursor()).toEqual({ value: head, version: 1, type: "String" });
    await random.check();
    expect((await ends()).at(-1)).toEqual([collected[2] as string, head]);
    expect(await chain()).toHaveLength(4);
  });
});

describe("set by hand", () => {
  test("back, the next step starts there and its record notes it", async () => {
    const [a = "", , c = ""] = collected;
    await setCursor(a);
    const head = await random.history.commit();
    expect(await random.run()).toMatchObject({ status: "collected" });
    const after = (await random.check()).slice(3);
    expect(after).toMatchObject([
      { from: a, to: a, expected: c, diff: null },
      { from: a, to: head, expected: null },
    ]);
    await collect();
  });

  test("back by one right after a run, the next run starts there", async () => {
    const [, b = "", c = ""] = collected;
    await setCursor(b);
    expect(await random.run()).toMatchObject({ status: "collected" });
    expect((await ends()).slice(3)).toEqual([
      [b, b],
      [b, c],
    ]);
    await random.check();
  });

  test("forward, over a commit that was never collected, the next step starts there and its record notes it", async () => {
    const skipped = await random.history.commit();
    const head = await random.history.commit();
    await setCursor(skipped);
    expect(await random.run()).toMatchObject({ status: "collected" });
    const after = (await random.check()).slice(3);
    expect(after).toMatchObject([
      { from: skipped, to: skipped, expected: collected[2] as string, diff: null },
      { from: skipped, to: head, expected: null },
    ]);
  });

  test("to the head, nothing is collected until there is a newer commit", async () => {
    const skipped = await random.history.commit();
    await setCursor(skipped);
    expect(await random.run()).toEqual({ status: "unchanged", commit: skipped });
    expect(await chain()).toHaveLength(3);
    await collect();
    expect((await chain())[3]).toMatchObject({ to: skipped, expected: collected[2] as string });
  });

  test("to the empty tree, a new baseline is stored and its record notes it", async () => {
    await setCursor(EMPTY_TREE);
    const head = await random.history.commit();
    expect(await random.run()).toMatchObject({ status: "collected" });
    const after = (await random.check()).slice(3);
    expect(after).toMatchObject([
      { kind: "baseline", from: EMPTY_TREE, to: EMPTY_TREE, expected: collected[2] as string, diff: null },
      { kind: "baseline", from: EMPTY_TREE, to: head, expected: null },
    ]);
    expect(await random.target.cursor()).toMatchObject({ value: head, type: "String" });
    await collect();
  });

  test("after it was deleted, the next step starts there and no number is used twice", async () => {
    const [a = "", , c = ""] = collected;
    await deleteCursor();
    await setCursor(a);
    await collect();
    expect((await chain())[3]).toMatchObject({ number: 4, to: a, expected: c });
    await collect();
  });

  test("during a run, it is kept: the run reports it, and the next one starts there", async () => {
    const [a = ""] = collected;
    const head = await random.history.commit();
    testbed.aws.fail({ operation: "PutObject", path: ".diff", how: { run: () => setCursor(a) } });
    expect(await random.run()).toMatchObject({ code: "cursor-moved" });
    expect((await random.target.cursor())?.value).toBe(a);
    expect(await random.run()).toMatchObject({ status: "collected" });
    const after = (await random.check()).slice(3);
    expect(after).toMatchObject([
      { from: collected[2] as string, to: head },
      { from: a, to: a, expected: head },
      { from: a, to: head },
    ]);
  });

  test("while a step is unfinished, its record is reused", async () => {
    const [a = "", , c = ""] = collected;
    const head = await random.history.commit();
    random.dieAt(4, false, () => {});
    expect(await random.run()).toBeInstanceOf(Error);
    expect((await chain())[3]).toMatchObject({ state: "claimed", from: c, to: head });
    await setCursor(a);
    await random.heal();
    const after = (await chain()).slice(3);
    expect(after).toMatchObject([
      { from: a, to: a, expected: c, diff: null },
      { from: a, to: head, expected: null },
    ]);
    expect(await collect()).toEqual(cheap);
  });

  test("while a step with a stored diff is unfinished, that step keeps its number", async () => {
    const [a = "", , c = ""] = collected;
    const head = await random.history.commit();
    random.dieAt(5, false, () => {});
    expect(await random.run()).toBeInstanceOf(Error);
    await setCursor(a);
    await random.heal();
    const [finished, adopted, step] = (await chain()).slice(3);
    expect(finished).toMatchObject({ from: c, to: head, files: expect.any(Number), strategy: "blobless" });
    const { diff, bytes, sha256 } = finished as CompleteStep;
    const stored = await testbed.aws.body(random.target.bucket, diff ?? "");
    expect([bytes, sha256]).toEqual([stored.length, createHash("sha256").update(stored).digest("hex")]);
    expect(adopted).toMatchObject({ from: a, to: a, expected: head });
    expect(step).toMatchObject({ from: a, to: head });
  });

  test("while the name of an unfinished step's diff has other bytes, they are taken for nothing", async () => {
    const [a = "", , c = ""] = collected;
    const head = await random.history.commit();
    random.dieAt(5, false, () => {});
    expect(await random.run()).toBeInstanceOf(Error);
    const { diff } = (await chain()).at(-1) as CompleteStep;
    const other = { Bucket: random.target.bucket, Key: diff ?? "", Body: "another\n" };
    await testbed.aws.s3.send(new PutObjectCommand(other));
    await setCursor(a);
    await expireLease(testbed.aws, random.target.bucket);
    expect(await random.run()).toMatchObject({ status: "collected" });
    const [adopted, step] = (await chain()).slice(3);
    expect(adopted).toMatchObject({ from: a, to: a, expected: c, diff: null });
    expect(step).toMatchObject({ from: a, to: head });
  });
});

describe("the cost", () => {
  test("a change costs three small requests more than no protocol at all", async () => {
    expect(await collect()).toEqual(cheap);
    expect((await random.target.cursor())?.value).toMatch(/^[0-9a-f]{40}$/);
  });

  test("no change costs two AWS requests, and one question to the host", async () => {
    testbed.aws.calls.length = 0;
    testbed.host.requests.length = 0;
    expect(await random.run()).toMatchObject({ status: "unchanged" });
    expect(testbed.aws.calls.map(({ operation }) => operation)).toEqual(["GetParameter", "ListObjectsV2"]);
    // git asks for what the host can do, and then for the refs.
    expect(testbed.host.requests.map(({ method }) => method)).toEqual(["GET", "POST"]);
  });

  test("a cursor that was set by hand costs more once, and the same as before from then on", async () => {
    await setCursor(collected[0] as string);
    expect((await collect()).length).toBeGreaterThan(cheap.length);
    expect(await collect()).toEqual(cheap);
  });

  test("so does a cursor of the bash version, at any version", async () => {
    await using taken = await openRandomRuns(testbed, ++seed, true);
    const { target, history } = taken;
    for (let day = 0; day < 5; day++) await testbed.aws.putParameter(target.parameter, target.to);
    const from = await history.repository.head();
    for (let day = 0; day < 3; day++) {
      await history.commit();
      testbed.aws.calls.length = 0;
      expect(await taken.run()).toMatchObject({ status: "collected" });
      if (day > 0) expect(testbed.aws.calls.map(({ operation }) => operation)).toEqual(cheap);
      await taken.check();
    }
    const numbers = (await readRecords(testbed.aws, target.bucket)).map(({ number }) => number);
    expect(numbers).toEqual([1, 7, 8, 9]);
    expect((await readRecords(testbed.aws, target.bucket))[0]).toMatchObject({ from, to: from, next: 7 });
  });

  test("a cursor that was deleted costs one search in every later run", async () => {
    await deleteCursor();
    await collect();
    const search = ["GetParameter", "GetObject", "ListObjectsV2", "GetObject", "GetParameter"];
    expect(await collect()).toEqual([...search, ...cheap.slice(2)]);
  });
});
