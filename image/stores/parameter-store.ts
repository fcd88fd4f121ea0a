import { setTimeout as sleep } from "node:timers/promises";
import {
  GetParameterCommand,
  GetParametersCommand,
  type Parameter,
  PutParameterCommand,
  type PutParameterCommandInput,
  SSMClient,
  type SSMClientConfig,
} from "@aws-sdk/client-ssm";
import type { Environment } from "../lib/environment.ts";
import { openPace } from "./pace.ts";
import { isThrottling, withRetries } from "./retries.ts";

/** SSM Parameter Store, shared by all cursors of a run. All methods throw the SDK's errors, or the signal's reason. */
export interface ParameterStore {
  /** Reads a parameter. Reads that wait at the same time share a request. */
  get(name: string, signal: AbortSignal): Promise<Parameter>;
  /** Reads one version of a parameter. */
  getVersion(name: string, version: number, signal: AbortSignal): Promise<Parameter>;
  /** Writes a parameter when its turn comes, and returns its new version. */
  put(input: PutParameterCommandInput, signal: AbortSignal): Promise<number>;
}

/** https://docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameters.html */
const namesPerRequest = 10;
const batchMilliseconds = 30_000;
const longestWaitMilliseconds = 500;
/** A role of an older stack may not read many parameters at once. */
const denialsUntilSingle = 3;

export function openParameterStore(
  environment: Environment,
  access: Pick<SSMClientConfig, "requestHandler" | "credentials">,
): ParameterStore {
  // Without the SDK's own retries, whose quota all cursors would share.
  return parameterStore(
    new SSMClient({ ...access, maxAttempts: 1 }),
    Number(environment.AWS_MAX_ATTEMPTS || 10),
  );
}

/** @param attempts for each request. Writes that are throttled wait as long as it takes. */
export function parameterStore(client: SSMClient, attempts: number): ParameterStore {
  const pace = openPace();
  const getOne = (Name: string, signal: AbortSignal): Promise<Parameter> =>
    withRetries(attempts, signal, async () => {
      const command = new GetParameterCommand({ Name, WithDecryption: true });
      return (await client.send(command, { abortSignal: signal })).Parameter ?? {};
    });
  const getMany = async (names: readonly string[]): Promise<Map<string | undefined, Parameter>> => {
    const signal = AbortSignal.timeout(batchMilliseconds);
    const command = new GetParametersCommand({ Names: [...names], WithDecryption: true });
    const answer = await withRetries(attempts, signal, () => client.send(command, { abortSignal: signal }));
    return new Map((answer.Parameters ?? []).map((parameter) => [parameter.Name, parameter]));
  };

  interface Read {
    readonly name: string;
    readonly signal: AbortSignal;
    readonly resolve: (parameter: Parameter | Promise<Parameter>) => void;
  }
  let waiting: Read[] = [];
  let reading = false;
  let denials = 0;
  const answerAll = async (reads: readonly Read[]): Promise<void> => {
    const names = [...new Set(reads.map(({ name }) => name))];
    let found: Map<string | undefined, Parameter> | undefined;
    if (names.length > 1) {
      found = await getMany(names).catch(() => undefined);
      denials = found === undefined ? denials + 1 : 0;
    }
    // One that is missing or denied must not affect the others, so each of the rest is read by itself.
    const answers = reads.map(({ name, signal }) => found?.get(name) ?? getOne(name, signal));
    for (const [index, { resolve }] of reads.entries()) resolve(answers[index] as Parameter);
    await Promise.allSettled(answers);
  };
  const readWaiting = async () => {
    reading = true;
    while (waiting.length > 0) {
      const reads = waiting.slice(0, denials < denialsUntilSingle ? namesPerRequest : 1);
      waiting = waiting.slice(reads.length);
      // Reads that come meanwhile share the next request. One that gets no answer must not keep them waiting.
      await Promise.race([answerAll(reads), sleep(longestWaitMilliseconds)]);
    }
    reading = false;
  };

  return {
    get(name, signal) {
      const { promise, resolve, reject } = Promise.withResolvers<Parameter>();
      if (signal.aborted) return Promise.reject(signal.reason);
      signal.addEventListener("abort", () => reject(signal.reason), { once: true });
      waiting.push({ name, signal, resolve });
      if (!reading) void readWaiting();
      return promise;
    },
    getVersion: (name, version, signal) => getOne(`${name}:${version}`, signal),
    async put(input, signal) {
      for (;;) {
        const turn = await pace.turn(signal);
        const send = () => client.send(new PutParameterCommand(input), { abortSignal: signal });
        try {
          const { Version } = await withRetries(attempts, signal, send, isThrottling);
          turn.succeeded();
          if (Version !== undefined) return Version;
        } catch (error) {
          if (isThrottling(error)) {
            turn.refused();
            continue;
          }
          turn.failed();
          throw error;
        }
        throw new Error("Parameter Store returned no version for the write");
      }
    },
  };
}
