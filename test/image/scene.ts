import { join } from "node:path";
import { S3Client } from "@aws-sdk/client-s3";
import { SSMClient } from "@aws-sdk/client-ssm";
import { collect, type Outcome } from "../../image/collect.ts";
import { readEnvironment } from "../../image/environment.ts";
import { s3Objects } from "../../image/s3.ts";
import { ssmCursor } from "../../image/ssm.ts";
import type { Ran } from "../helpers/worker.ts";
import { startWorker } from "../helpers/worker.ts";
import { openChained, passLease } from "./chained.ts";
import { dice, type Story, tellStory } from "./story.ts";
import type { Place, World } from "./world.ts";

export type Scene = Awaited<ReturnType<typeof openScene>>;

/** Every operation that the worker makes of small diffs. */
const operations = ["GetParameter", "PutParameter", "GetObject", "PutObject", "ListObjectsV2"];

/** A story that a worker collects, each run a minute after the one before, and that goes wrong on the way. */
export async function openScene(world: World, seed: number, cursorLeft = false) {
  const { aws } = world;
  const roll = dice(seed);
  const story: Story = await tellStory(join(world.root, `story-${seed}`), roll);
  const place: Place = await world.place(story.repository, cursorLeft ? await story.repository.head() : null);
  const chained = await openChained(aws, place, story);
  let minutes = 0;
  const environment = () => {
    const time = new Date(Date.UTC(2026, 0, 1, 0, ++minutes)).toISOString();
    return { ...place.environment, SCHEDULED_TIME: time };
  };

  /** Lets nothing pass any more from the `nth` call on: before it has its effect, or just after. */
  function dieAt(nth: number, after: boolean, die: () => unknown): void {
    let calls = 0;
    const run = async () => {
      if (++calls < nth) return;
      await die();
      throw new Error("Whoever made this call is dead.");
    };
    for (const operation of operations) aws.fail({ operation, nth: "all", how: { run, after } });
  }

  /** A run in this process, which is faster. */
  async function run(attempts = 1): Promise<Outcome | Error> {
    const variables = environment();
    const [repository] = readEnvironment(variables, new Date()).repositories;
    if (repository === undefined) throw new Error("There is no repository.");
    const { bounds } = readEnvironment(variables, new Date());
    const { signal } = new AbortController();
    const client = {
      endpoint: aws.endpoint,
      region: "eu-west-1",
      credentials: { accessKeyId: "AKIAIOSFODNN7EXAMPLE", secretAccessKey: "not-a-secret" },
      maxAttempts: attempts,
    };
    const [s3, ssm] = [new S3Client({ ...client, forcePathStyle: true }), new SSMClient(client)];
    const stores = {
      cursor: ssmCursor(ssm, repository.cursor, signal),
      objects: s3Objects(s3, repository.place, signal),
    };
    try {
      return await collect(repository, stores, bounds, signal, () => {});
    } catch (error) {
      return error as Error;
    } finally {
      aws.clearFaults();
      s3.destroy();
      ssm.destroy();
    }
  }

  /** Once the lease is over, one run that nothing happens to brings everything in order. */
  async function heal(): Promise<void> {
    await passLease(aws, place.bucket);
    const outcome = await run();
    if (outcome instanceof Error) throw outcome;
    const head = await story.repository.head();
    const cursor = await place.cursor();
    if (cursor?.value !== head) throw new Error(`The cursor is at ${cursor?.value}, the head at ${head}.`);
    await chained.check();
  }

  return {
    roll,
    story,
    place,
    dieAt,
    run,
    heal,
    check: chained.check,
    [Symbol.asyncDispose]: chained[Symbol.asyncDispose],

    /** A run in a process of its own, which may be killed; the worker's exit. */
    async runProcess(
      prepare: (kill: () => void) => unknown = () => {},
      more: Record<string, string> = {},
    ): Promise<Ran> {
      const running = await startWorker({ ...environment(), ...more });
      const kill = () => void running.process.kill("SIGKILL");
      await prepare(kill);
      const ran = await running.finished;
      aws.clearFaults();
      return ran;
    },
  };
}
