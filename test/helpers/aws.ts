import { spawn } from "node:child_process";
import {
  CreateBucketCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  S3Client,
} from "@aws-sdk/client-s3";
import { GetParameterCommand, ParameterNotFound, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { type AwsProxy, startAwsProxy } from "./awsproxy.ts";

export interface Aws extends AwsProxy {
  motoEndpoint: string;
  /** What a worker needs to find this AWS, and no other. */
  environment: Record<string, string>;
  /** Past the proxy: neither written down nor going wrong. */
  s3: S3Client;
  ssm: SSMClient;
  /** Makes a bucket, of a name not used yet unless told, and answers its name. */
  createBucket(name?: string): Promise<string>;
  objects(bucket: string, prefix?: string): Promise<string[]>;
  body(bucket: string, key: string): Promise<Uint8Array>;
  metadata(bucket: string, key: string): Promise<Record<string, string>>;
  /** The multipart uploads that were neither completed nor aborted. */
  uploads(bucket: string): Promise<{ key: string; id: string }[]>;
  parameter(name: string): Promise<{ value: string; version: number; type: string } | undefined>;
  putParameter(name: string, value: string): Promise<void>;
}

const REGION = "eu-west-1";
const KEYS = { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" };

/** An AWS of its own: moto in a process, and a proxy in front of it that can make calls fail. */
export async function startAws(): Promise<Aws> {
  const moto = await startMoto();
  const proxy = await startAwsProxy({ host: "127.0.0.1", port: moto.port });
  const motoEndpoint = `http://127.0.0.1:${moto.port}`;
  const client = { endpoint: motoEndpoint, region: REGION, credentials: KEYS };
  const s3 = new S3Client({ ...client, forcePathStyle: true });
  const ssm = new SSMClient(client);
  let buckets = 0;
  const close = async () => {
    s3.destroy();
    ssm.destroy();
    await proxy.close();
    await moto.close();
  };

  return {
    ...proxy,
    motoEndpoint,
    environment: {
      AWS_ENDPOINT_URL: proxy.endpoint,
      AWS_REGION: REGION,
      AWS_ACCESS_KEY_ID: KEYS.accessKeyId,
      AWS_SECRET_ACCESS_KEY: KEYS.secretAccessKey,
      AWS_EC2_METADATA_DISABLED: "true",
      AWS_CONFIG_FILE: "/dev/null",
      AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    },
    s3,
    ssm,
    async createBucket(name = `bucket-${++buckets}`) {
      const CreateBucketConfiguration = { LocationConstraint: REGION } as const;
      await s3.send(new CreateBucketCommand({ Bucket: name, CreateBucketConfiguration }));
      return name;
    },
    async objects(bucket, prefix) {
      const pages = await Array.fromAsync(
        paginateListObjectsV2({ client: s3 }, { Bucket: bucket, Prefix: prefix }),
      );
      return pages.flatMap((page) => (page.Contents ?? []).map(({ Key = "" }) => Key)).sort();
    },
    async body(bucket, key) {
      const { Body } = await s3.send(new GetObjectCommand({ Bucket: bucket, Key: key }));
      return (await Body?.transformToByteArray()) ?? new Uint8Array();
    },
    async metadata(bucket, key) {
      return (await s3.send(new HeadObjectCommand({ Bucket: bucket, Key: key }))).Metadata ?? {};
    },
    async uploads(bucket) {
      const { Uploads = [] } = await s3.send(new ListMultipartUploadsCommand({ Bucket: bucket }));
      return Uploads.map(({ Key = "", UploadId = "" }) => ({ key: Key, id: UploadId }));
    },
    async parameter(name) {
      try {
        const found = await ssm.send(new GetParameterCommand({ Name: name, WithDecryption: true }));
        const { Value = "", Version = 0, Type = "" } = found.Parameter ?? {};
        return { value: Value, version: Version, type: Type };
      } catch (error) {
        if (error instanceof ParameterNotFound) return undefined;
        throw error;
      }
    },
    async putParameter(name, value) {
      await ssm.send(new PutParameterCommand({ Name: name, Value: value, Type: "String", Overwrite: true }));
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

async function startMoto(): Promise<{ port: number; close: () => Promise<void> }> {
  // A test that is killed closes nothing, so moto has a guard that ends it once this process is gone.
  const guarded =
    "exec 3<&0; (read -r _ <&3; kill -9 $$) & exec moto_server -H 127.0.0.1 -p 0 3<&- </dev/null";
  const child = spawn("sh", ["-c", guarded], { stdio: ["pipe", "ignore", "pipe"] });
  // Not "close": under Bun that now and then stays away after "exit".
  const ended = new Promise<void>((resolve) => child.once("exit", () => resolve()));
  // Sends the guard home while the id it would end can be nobody else's yet.
  child.once("exit", () => child.stdin.end());
  const port = await new Promise<number>((resolve, reject) => {
    let said = "";
    child.once("error", reject);
    child.once("exit", () => reject(new Error(`moto_server ended: ${said}`)));
    // It goes on to say a line for every request; they have to be taken off it, or it stops.
    child.stderr.on("data", (chunk: Buffer) => {
      if (said.length < 10_000) said += chunk.toString();
      const found = /Running on http:\/\/[\d.]+:(\d+)/.exec(said)?.[1];
      if (found) resolve(Number(found));
    });
  });
  return {
    port,
    async close() {
      child.kill("SIGKILL");
      await ended;
    },
  };
}
