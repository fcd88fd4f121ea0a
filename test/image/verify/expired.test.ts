import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { CopyObjectCommand, DeleteObjectCommand } from "@aws-sdk/client-s3";
import { recordName } from "../../../image/chain/record.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectFiveSteps } from "../../fixtures/five-steps.ts";
import { EMPTY_TREE } from "../../fixtures/repository.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";
import { type Ran, runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(60_000);

const codesOf = ({ events }: Ran) => events.map(({ event, code }) => code ?? event);

describe("of a chain in a folder, whose oldest files were removed,", () => {
  let collected: CollectedRepository;
  let diffs: string[];
  beforeAll(async () => {
    ({ collected, diffs } = await collectFiveSteps());
  });
  afterAll(() => collected[Symbol.asyncDispose]());

  const diff = (number: number): string => diffs[number - 1] ?? "";
  const withoutSteps = async (...numbers: number[]) => {
    const copy = await collected.copy();
    for (const number of numbers) {
      await copy.remove(recordName(number));
      await copy.remove(diff(number));
    }
    return copy;
  };

  test("the rest holds, and the beginning is a note", async () => {
    await using rest = await withoutSteps(1, 2);
    const { status, events, stderr } = await rest.verify();
    expect(events).toMatchObject([
      { code: "beginning-expired", level: "note", object: recordName(3) },
      { event: "verified", holds: true, steps: 3, diffs: 2, notes: 1 },
      { event: "summary", verified: 1 },
    ]);
    expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  });

  test("the first step may have lost its diff already, and no other one", async () => {
    await using edge = await withoutSteps(1);
    await edge.remove(diff(2));
    const { status, events } = await edge.verify();
    expect(codesOf(await edge.verify())).toEqual(["beginning-expired", "verified", "summary"]);
    expect(events[0]?.message).toContain(diff(2));
    expect(status).toBe(0);
    await edge.remove(diff(3));
    const worse = await edge.verify();
    expect(worse.events[1]).toMatchObject({ code: "diff-missing", object: diff(3), level: "problem" });
    expect(worse.status).toBe(1);
  });

  test("a hole after it is a gap, and so is a change of what is left", async () => {
    await using hole = await withoutSteps(1, 2, 4);
    const { status, events } = await hole.verify();
    expect(events).toMatchObject([
      { code: "beginning-expired" },
      { code: "gap", level: "problem", object: recordName(4) },
      { event: "verified", holds: false },
      { event: "summary" },
    ]);
    expect(status).toBe(1);
    await using changed = await withoutSteps(1);
    await changed.write(diff(3), "another diff\n");
    expect(codesOf(await changed.verify())).toContain("diff-altered");
  });

  test("a missing record whose diff is there has not expired, and excuses nothing", async () => {
    await using lost = await collected.copy();
    await lost.remove(recordName(1));
    await lost.remove(diff(2));
    expect(codesOf(await lost.verify())).toEqual(["gap", "diff-missing", "verified", "summary"]);
  });

  test("without a baseline, nothing is replayed, and everything else is checked", async () => {
    await using rest = await withoutSteps(1, 2);
    const { status, events } = await rest.verify("--replay");
    expect(events).toMatchObject([
      { code: "beginning-expired" },
      { code: "not-replayed", level: "note", message: expect.stringContaining("no sound baseline") },
      { event: "verified", holds: true, replayed: 0 },
      { event: "summary" },
    ]);
    expect(status).toBe(0);
  });

  test("the replay starts at the first baseline that is there", async () => {
    await using rest = await withoutSteps(1, 2);
    await rest.write("cursor", EMPTY_TREE);
    expect(await rest.collect({ SCHEDULED_TIME: "2026-02-01T00:00:00Z" })).toMatchObject({ status: 0 });
    const { status, events } = await rest.verify("--replay");
    expect(events).toMatchObject([
      { code: "beginning-expired" },
      { code: "cursor-was-set" },
      {
        code: "not-replayed",
        message: expect.stringMatching(/^3 steps, .*0003.json to .*0005.json, .*the first baseline/),
      },
      { event: "verified", holds: true, steps: 5, replayed: 2 },
      { event: "summary" },
    ]);
    expect(status).toBe(0);
  });
});

describe("of a chain in S3 with a rule that expires objects,", () => {
  let testbed: Testbed;
  let target: Target;
  let diffs: string[];
  let expiry: (key: string) => Date | undefined;
  let s3: ReturnType<typeof Bun.serve>;

  beforeAll(async () => {
    testbed = await openTestbed();
    // S3 sends this header with such an object, the emulator does not.
    // Source: https://docs.aws.amazon.com/AmazonS3/latest/API/API_GetObject.html
    s3 = Bun.serve({
      port: 0,
      async fetch({ url, method, headers }) {
        const { pathname, search } = new URL(url);
        const answer = await fetch(`${testbed.aws.motoEndpoint}${pathname}${search}`, { method, headers });
        const fields = new Headers(answer.headers);
        const date = expiry(pathname.split("/").slice(2).join("/"))?.toUTCString();
        if (date) fields.set("x-amz-expiration", `expiry-date="${date}", rule-id="tidy"`);
        return new Response(await answer.arrayBuffer(), { status: answer.status, headers: fields });
      },
    });
    const repository = await testbed.repository("expiring");
    target = await testbed.target(repository, null);
    expect((await target.run()).status).toBe(0);
    for (const content of ["three\n", "four\n"]) {
      await repository.write("file", content);
      await repository.commit();
      expect((await target.run()).status).toBe(0);
    }
    diffs = (await testbed.aws.objects(target.bucket)).filter((key) => key.endsWith(".diff"));
    expect(diffs).toHaveLength(3);
  });
  afterAll(async () => {
    await s3.stop(true);
    await testbed.close();
  });

  const day = 86_400_000;
  /** Removes objects from a copy of the bucket, and verifies that. */
  const verifyWithout = async (keys: string[], expires: (key: string) => number) => {
    const { aws } = testbed;
    const bucket = await aws.createBucket();
    for (const key of await aws.objects(target.bucket)) {
      await aws.s3.send(
        new CopyObjectCommand({ Bucket: bucket, Key: key, CopySource: `${target.bucket}/${key}` }),
      );
    }
    for (const Key of keys) await aws.s3.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    expiry = (key) => new Date(Date.now() + expires(key));
    const ran = await runWorker(
      { ...target.environment, AWS_ENDPOINT_URL_S3: s3.url.origin, RESULTS_BUCKET: bucket },
      { args: ["verify"] },
    );
    expect(ran.stderr).toBe("");
    return ran;
  };
  const byName = async (part: string) =>
    (await testbed.aws.objects(target.bucket)).filter((key) => key.includes(part));
  const step = async (number: number) =>
    JSON.parse(Buffer.from(await testbed.aws.body(target.bucket, recordName(number))).toString());

  test("diffs may be gone before their records", async () => {
    const { diff } = await step(1);
    const ran = await verifyWithout([diff], () => day);
    expect(codesOf(ran)).toEqual(["beginning-expired", "verified", "summary"]);
    expect(ran.status).toBe(0);
    // Not long before.
    const early = await verifyWithout([diff], () => 30 * day);
    expect(codesOf(early)).toEqual(["diff-missing", "verified", "summary"]);
    expect(early.status).toBe(1);
  });

  test("records may be gone before their diffs", async () => {
    const ran = await verifyWithout([recordName(1)], () => 30 * day);
    expect(codesOf(ran)).toEqual(["beginning-expired", "older-diffs", "verified", "summary"]);
    expect(ran.status).toBe(0);
  });

  test("S3 removes expired objects late, and in any order", async () => {
    const { diff } = await step(1);
    const ran = await verifyWithout([recordName(2), diff], (key) =>
      key === recordName(1) ? -day : 30 * day,
    );
    expect(codesOf(ran)).toEqual(["beginning-expired", "older-diffs", "verified", "summary"]);
    expect(ran.status).toBe(0);
  });

  test("a hole in what has not expired is a gap", async () => {
    const { diff } = await step(2);
    const ran = await verifyWithout([recordName(2), diff], () => 30 * day);
    expect(codesOf(ran)).toEqual(["gap", "verified", "summary"]);
    expect(ran.status).toBe(1);
  });

  test("everything may be gone", async () => {
    const ran = await verifyWithout(await byName(""), () => day);
    expect(codesOf(ran)).toEqual(["nothing-collected", "verified", "summary"]);
    expect(ran.status).toBe(0);
    const late = await verifyWithout([], () => -day);
    expect(codesOf(late)).toEqual(["nothing-collected", "verified", "summary"]);
  });
});
