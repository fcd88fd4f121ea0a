import { afterAll, beforeAll, beforeEach, describe, expect, test } from "bun:test";
import {
  CompleteMultipartUploadCommand,
  GetObjectCommand,
  PutObjectCommand,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { Upload } from "@aws-sdk/lib-storage";
import { type Aws, startAws } from "./aws.ts";

let aws: Aws;
let bucket: string;
let s3: S3Client;
let ssm: SSMClient;

beforeAll(async () => {
  aws = await startAws();
  const { AWS_ACCESS_KEY_ID = "", AWS_SECRET_ACCESS_KEY = "" } = aws.environment;
  const credentials = { accessKeyId: AWS_ACCESS_KEY_ID, secretAccessKey: AWS_SECRET_ACCESS_KEY };
  const client = { endpoint: aws.endpoint, region: "eu-west-1", credentials, maxAttempts: 1 };
  s3 = new S3Client(client);
  ssm = new SSMClient(client);
});
afterAll(() => aws.close());
beforeEach(async () => {
  bucket = await aws.createBucket();
  aws.clearFaults();
  aws.calls.length = 0;
});

const put = (key: string, body: string | Uint8Array = "content", more: { IfNoneMatch?: string } = {}) =>
  s3.send(new PutObjectCommand({ Bucket: bucket, Key: key, Body: body, ...more }));
const setParameter = (name: string, value: string) =>
  ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: "String", Overwrite: true }));
const upload = (key: string, bytes: Uint8Array) =>
  new Upload({ client: s3, params: { Bucket: bucket, Key: key, Body: bytes } }).done();
const operations = () => aws.calls.map(({ service, operation }) => `${service} ${operation}`);
const patience = <T>(promise: Promise<T>) => Promise.race([promise, Bun.sleep(300).then(() => "waiting")]);

describe("without faults", () => {
  test("objects", async () => {
    await s3.send(new PutObjectCommand({ Bucket: bucket, Key: "b/x", Body: "x", Metadata: { rung: "ids" } }));
    await put("a");
    expect(await aws.objects(bucket)).toEqual(["a", "b/x"]);
    expect(await aws.objects(bucket, "b/")).toEqual(["b/x"]);
    expect(Buffer.from(await aws.body(bucket, "b/x")).toString()).toBe("x");
    expect(await aws.metadata(bucket, "b/x")).toEqual({ rung: "ids" });
    expect(operations()).toEqual(["s3 PutObject", "s3 PutObject"]);
    expect(aws.calls[0]).toMatchObject({ method: "PUT", path: `/${bucket}/b/x`, status: 200 });
  });

  test("an object that must not be there yet", async () => {
    await put("once", "first", { IfNoneMatch: "*" });
    const again = put("once", "second", { IfNoneMatch: "*" });
    await expect(again).rejects.toMatchObject({
      name: "PreconditionFailed",
      $metadata: { httpStatusCode: 412 },
    });
    expect(Buffer.from(await aws.body(bucket, "once")).toString()).toBe("first");
  });

  test("an upload in parts, whole and unfinished", async () => {
    const bytes = new Uint8Array(11 * 1024 * 1024).fill(7);
    const started = performance.now();
    await upload("big", bytes);
    expect(performance.now() - started).toBeLessThan(2000);
    expect(Buffer.compare(await aws.body(bucket, "big"), bytes)).toBe(0);
    expect(operations().toSorted()).toEqual([
      "s3 CompleteMultipartUpload",
      "s3 CreateMultipartUpload",
      "s3 UploadPart",
      "s3 UploadPart",
      "s3 UploadPart",
    ]);
    const got = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "big" }));
    expect((await got.Body?.transformToByteArray())?.length).toBe(bytes.length);
    expect(await aws.uploads(bucket)).toEqual([]);

    aws.fail({ operation: "CompleteMultipartUpload", how: "reset" });
    aws.fail({ operation: "AbortMultipartUpload", how: "reset" });
    await expect(upload("half", bytes)).rejects.toThrow();
    expect((await aws.uploads(bucket)).map(({ key }) => key)).toEqual(["half"]);
    expect(operations()).toContain("s3 AbortMultipartUpload");
  });

  test("parameters", async () => {
    expect(await aws.parameter("/none")).toBeUndefined();
    await aws.putParameter("/cursor", "one");
    await setParameter("/cursor", "two");
    expect(await aws.parameter("/cursor")).toEqual({ value: "two", version: 2, type: "String" });
    await expect(ssm.send(new GetParameterCommand({ Name: "/none" }))).rejects.toMatchObject({
      name: "ParameterNotFound",
    });
    expect(operations()).toEqual(["ssm PutParameter", "ssm GetParameter"]);
  });
});

describe("faults", () => {
  test("an error instead of the effect, as the service puts it", async () => {
    aws.fail({ operation: "PutObject", how: { status: 503, code: "SlowDown", message: "Reduce" } });
    aws.fail({
      operation: "PutParameter",
      how: { status: 400, code: "ThrottlingException", message: "Rate" },
    });
    await expect(put("a")).rejects.toMatchObject({ name: "SlowDown", message: "Reduce" });
    await expect(setParameter("/a", "1")).rejects.toMatchObject({
      name: "ThrottlingException",
      message: "Rate",
    });
    expect(await aws.objects(bucket)).toEqual([]);
    expect(await aws.parameter("/a")).toBeUndefined();
    await put("a");
    await setParameter("/a", "1");
    expect(aws.calls.map(({ status }) => status)).toEqual([503, 400, 200, 200]);
  });

  test("an error, and yet the effect", async () => {
    const how = { status: 500, code: "InternalError", after: true };
    aws.fail({ operation: "PutObject", how });
    aws.fail({ operation: "PutParameter", how: { ...how, code: "InternalServerError" } });
    await expect(put("after")).rejects.toMatchObject({ name: "InternalError" });
    await expect(setParameter("/after", "1")).rejects.toMatchObject({ name: "InternalServerError" });
    expect(await aws.objects(bucket)).toEqual(["after"]);
    expect((await aws.parameter("/after"))?.value).toBe("1");
  });

  test("a connection that breaks before or after the effect", async () => {
    aws.fail({ operation: "PutObject", path: "/lost", how: "reset" });
    aws.fail({ operation: "PutObject", path: "/kept", how: "reset-after" });
    await expect(put("lost")).rejects.toThrow();
    await expect(put("kept")).rejects.toThrow();
    expect(await aws.objects(bucket)).toEqual(["kept"]);
  });

  test("a request cut in its middle", async () => {
    aws.fail({ operation: "PutObject", how: "cut" });
    await expect(put("cut", new Uint8Array(3_000_000))).rejects.toThrow();
    await Bun.sleep(200);
    expect(await aws.objects(bucket)).toEqual([]);
    await put("next");
    expect(await aws.objects(bucket)).toEqual(["next"]);
  });

  test("no answer, before or after the effect", async () => {
    aws.fail({ operation: "PutObject", path: "/lost", how: "hang" });
    aws.fail({ operation: "PutObject", path: "/kept", how: "hang-after" });
    expect(await patience(put("lost"))).toBe("waiting");
    expect(await patience(put("kept"))).toBe("waiting");
    expect(await aws.objects(bucket)).toEqual(["kept"]);
  });

  test("an error under status 200", async () => {
    const body = "<Error><Code>InternalError</Code><Message>We tried.</Message></Error>";
    aws.fail({ operation: "CompleteMultipartUpload", nth: "all", how: { status: 200, body } });
    const command = new CompleteMultipartUploadCommand({ Bucket: bucket, Key: "a", UploadId: "b" });
    await expect(s3.send(command)).rejects.toMatchObject({ name: "InternalError" });
  });

  test("only the call that is meant", async () => {
    const how = { status: 503, code: "SlowDown" };
    aws.fail({ operation: "PutObject", nth: 2, how });
    await put("a");
    await expect(put("b")).rejects.toThrow();
    await put("c");
    aws.fail({ operation: "PutObject", nth: "all", path: "/d", how });
    for (const _ of [1, 2]) await expect(put("d")).rejects.toThrow();
    await put("e");
    aws.clearFaults();
    await put("d");
    expect(await aws.objects(bucket)).toEqual(["a", "c", "d", "e"]);
  });

  test("something done at the very moment", async () => {
    aws.fail({ operation: "PutObject", how: { run: async () => aws.putParameter("/moment", "before") } });
    aws.fail({ operation: "GetObject", how: { delayMs: 200 } });
    await put("a");
    expect((await aws.parameter("/moment"))?.value).toBe("before");
    const started = performance.now();
    await s3.send(new GetObjectCommand({ Bucket: bucket, Key: "a" }));
    expect(performance.now() - started).toBeGreaterThan(200);
  });
});

test("moto goes when its test is killed", async () => {
  const script = `import { startAws } from "./aws.ts"; console.log((await startAws()).motoEndpoint);`;
  const child = Bun.spawn([process.execPath, "-e", script], { cwd: import.meta.dir, env: process.env });
  const { value } = await child.stdout.getReader().read();
  const endpoint = new TextDecoder().decode(value).trim();
  expect((await fetch(endpoint)).status).toBe(200);
  child.kill("SIGKILL");
  await child.exited;
  await Bun.sleep(300);
  await expect(fetch(endpoint)).rejects.toThrow();
});

test("the SDK finds it by the environment alone", async () => {
  const script = `import { S3Client, PutObjectCommand } from "@aws-sdk/client-s3";
    await new S3Client({}).send(new PutObjectCommand({ Bucket: "${bucket}", Key: "k", Body: "v" }));`;
  const child = Bun.spawn([process.execPath, "-e", script], {
    cwd: import.meta.dir,
    env: { PATH: process.env.PATH, ...aws.environment },
  });
  expect(await child.exited).toBe(0);
  expect(await aws.objects(bucket)).toEqual(["k"]);
});
