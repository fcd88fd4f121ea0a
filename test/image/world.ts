import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { type Aws, startAws } from "../helpers/aws.ts";
import { type Host, type StartHostOptions, startHost } from "../helpers/host.ts";
import { EMPTY_TREE, makeRepository, oracle, type Repository } from "../helpers/repository.ts";
import { type Ran, runWorker } from "../helpers/worker.ts";
import { records } from "./chained.ts";

export type World = Awaited<ReturnType<typeof openWorld>>;
export type Place = Awaited<ReturnType<World["place"]>>;

/** An AWS, a git host with its repositories, and places in that AWS for what a worker collects from them. */
export async function openWorld(options: StartHostOptions = {}) {
  const root = await mkdtemp(join(tmpdir(), "world-"));
  const [aws, host] = await Promise.all([startAws(), startHost(root, options)]);
  let places = 0;
  return {
    root,
    aws,
    host,
    /** A repository of two commits, the second of which makes its one file `size` bytes or little more. */
    async repository(name: string, size = 4): Promise<Repository> {
      const repository = await makeRepository({ path: join(root, name) });
      await repository.write("file", "one\n");
      await repository.commit();
      const line = "All work and no play makes a dull diff.\n";
      await repository.write(
        "file",
        size < line.length ? "two\n" : line.repeat(Math.ceil(size / line.length)),
      );
      await repository.commit();
      return repository;
    },
    place: (repository: Repository, cursor?: string | null) =>
      place(aws, host, repository, `/cursor/${++places}`, cursor),
    reset() {
      host.reset();
      aws.clearFaults();
    },
    async close() {
      await Promise.all([aws.close(), host.close()]);
      await rm(root, { recursive: true, force: true });
    },
  };
}

/** A bucket and a parameter of its own; the cursor is at the commit before the last unless told, null for none. */
async function place(
  aws: Aws,
  host: Host,
  repository: Repository,
  parameter: string,
  cursor: string | null | undefined,
) {
  const [to = "", before = ""] = (await repository.git("rev-list", "HEAD")).split("\n");
  const initial = cursor === undefined ? before : cursor;
  const from = cursor === null ? EMPTY_TREE : before;
  const bucket = await aws.createBucket();
  if (initial !== null) await aws.putParameter(parameter, initial);
  aws.calls.length = 0;
  const environment: Record<string, string> = {
    ...aws.environment,
    AWS_MAX_ATTEMPTS: "2",
    GIT_REPO: host.url(basename(repository.path)),
    PARAMETER_NAME: parameter,
    RESULTS_BUCKET: bucket,
    SCHEDULED_TIME: "2026-01-02T03:04:05Z",
  };
  const step = `2026-01-02-0304_${from.slice(0, 7)}-${to.slice(0, 7)}`;
  const cursorNow = () => aws.parameter(parameter);
  return {
    from,
    to,
    bucket,
    parameter,
    environment,
    diff: `${step}.diff`,
    cursor: cursorNow,
    run: (more: Record<string, string> = {}) => runWorker({ ...environment, ...more }),

    /** No diff is stored, nothing half-stored, and the cursor is as it was; a step may be claimed. */
    async expectUntouched() {
      expect((await aws.objects(bucket)).filter((name) => !name.startsWith("_steps/"))).toEqual([]);
      for (const record of await records(aws, bucket)) {
        // A step that was claimed is free for the next run; one that takes up a cursor that was there stores nothing.
        if (record.state === "claimed") expect(record.claimed).toBe(new Date(0).toISOString());
        else expect([record.diff, record.from]).toEqual([null, record.to]);
      }
      expect(await aws.uploads(bucket)).toEqual([]);
      const before = initial === null ? undefined : { value: initial, version: 1, type: "String" };
      expect(await cursorNow()).toEqual(before);
    },

    /** The run failed with `code`, named the repository, and left everything as it was. */
    async expectFailed(ran: Ran, code: string, message = "", url = environment.GIT_REPO) {
      expect(ran.events.at(0)).toMatchObject({ event: "failed", code });
      expect(ran.events.at(0)?.message).toContain(message);
      expect(ran.events.at(-1)).toMatchObject({ event: "summary", failed: [url] });
      expect(ran).toMatchObject({ status: 1, left: [], stderr: "" });
      await this.expectUntouched();
    },

    /** Exactly the one step is stored, its bytes are the oracle's, and the cursor has moved. */
    async expectCollected() {
      const diff = `${step}.diff`;
      expect((await aws.objects(bucket)).filter((name) => !name.startsWith("_steps/"))).toEqual([diff]);
      const chain = await records(aws, bucket);
      expect(chain.at(-1)).toMatchObject({ state: "complete", from, to, diff });
      expect(chain).toHaveLength(initial === null ? 1 : 2);
      expect(await aws.uploads(bucket)).toEqual([]);
      const stored = await aws.body(bucket, `${step}.diff`);
      const right = await oracle(repository.path, cursor === null ? null : from, to);
      expect(Buffer.compare(stored, right)).toBe(0);
      expect(await cursorNow()).toMatchObject({ value: to, type: "String" });
    },
  };
}
