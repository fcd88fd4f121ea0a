import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { readRecords } from "../../fixtures/chain-checker.ts";
import { oracle, type Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";

let testbed: Testbed;
let small: Repository;
let large: Repository;
beforeAll(async () => {
  testbed = await openTestbed();
  small = await testbed.repository("small");
  large = await testbed.repository("large", 12 * 1024 ** 2);
});
afterAll(() => testbed.close());
beforeEach(() => testbed.reset());

const put = ({ bucket }: Target, key: string, body: string | Uint8Array) =>
  testbed.aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body }));

describe("a server that ignores conditions", () => {
  test("is refused before anything is claimed", async () => {
    const target = await testbed.target(small);
    testbed.aws.fail({ operation: "ConditionCheck", how: "unconditional" });
    const ran = await target.run();
    expect(ran.events[0]).toMatchObject({ event: "failed", code: "store-unconditional" });
    expect(await testbed.aws.objects(target.bucket)).toEqual(["_steps/-check"]);
    expect((await target.cursor())?.value).toBe(target.from);
    // The object that it left changes nothing.
    testbed.aws.fail({ operation: "ConditionCheck", how: "unconditional" });
    expect((await target.run()).events[0]).toMatchObject({ code: "store-unconditional" });
  });

  test("that does not know them is refused too, and one that is out of order is asked again", async () => {
    const target = await testbed.target(small);
    testbed.aws.fail({ operation: "ConditionCheck", how: { status: 501, code: "NotImplemented" } });
    await target.expectFailed(await target.run(), "store-unconditional", target.bucket);
    testbed.aws.fail({ operation: "ConditionCheck", nth: "all", how: { status: 503, code: "Unavailable" } });
    await target.expectFailed(await target.run(), "store-failed", "_steps/");
    testbed.aws.clearFaults();
    expect((await target.run()).status).toBe(0);
    await target.expectCollected();
  });
});

describe.each([
  ["of one part", () => small],
  ["of several parts", () => large],
] as const)("a diff %s", (_, repository) => {
  test("never replaces another object of its name", async () => {
    const target = await testbed.target(repository());
    await put(target, target.diff, "Somebody else's.");
    const other = target.diff.replace(".diff", "-2.diff");
    await put(target, other, "And another one's.");
    expect((await target.run()).events[0]).toMatchObject({ event: "collected" });
    expect(Buffer.from(await testbed.aws.body(target.bucket, target.diff)).toString()).toBe(
      "Somebody else's.",
    );
    const diff = target.diff.replace(".diff", "-3.diff");
    expect((await readRecords(testbed.aws, target.bucket)).at(-1)).toMatchObject({ state: "complete", diff });
    const stored = await testbed.aws.body(target.bucket, diff);
    expect(Buffer.compare(stored, await oracle(repository().path, target.from, target.to))).toBe(0);
    expect(await testbed.aws.uploads(target.bucket)).toEqual([]);
  });

  test("never takes another object of its name for itself, when a failed run is resumed", async () => {
    const target = await testbed.target(repository());
    // Of the same size.
    const others = Buffer.alloc((await oracle(repository().path, target.from, target.to)).length, "x");
    await put(target, target.diff, others);
    testbed.aws.fail({ operation: "PutObject", path: target.diff, nth: "all", how: "reset" });
    testbed.aws.fail({ operation: "UploadPart", path: target.diff, nth: "all", how: "reset" });
    expect((await target.run()).status).toBe(1);
    testbed.reset();
    expect((await target.run()).events[0]).toMatchObject({
      event: "collected",
      diff: target.diff.replace(".diff", "-2.diff"),
    });
    expect(Buffer.compare(await testbed.aws.body(target.bucket, target.diff), others)).toBe(0);
  });

  test("whose first answer was lost is found, and not stored again", async () => {
    const target = await testbed.target(repository());
    for (const operation of ["PutObject", "CompleteMultipartUpload"])
      testbed.aws.fail({ operation, path: target.diff, how: "reset-after" });
    expect((await target.run()).status).toBe(0);
    await target.expectCollected();
  });
});
