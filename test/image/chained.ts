import { expect } from "bun:test";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PutObjectCommand } from "@aws-sdk/client-s3";
import { parseStep, recordName, type StepRecord } from "../../image/step.ts";
import type { Aws } from "../helpers/aws.ts";
import { git } from "../helpers/git.ts";
import { EMPTY_TREE } from "../helpers/repository.ts";
import type { Story } from "./story.ts";

/** Where a repository's diffs and cursor are. */
export interface Kept {
  readonly bucket: string;
  readonly parameter: string;
}

/** The step records, in their order; without the first `after`, which takes less time. */
export async function records(aws: Aws, bucket: string, after = 0): Promise<StepRecord[]> {
  const names = (await aws.objects(bucket, "_steps/")).slice(after);
  const texts = await Promise.all(names.map((name) => aws.body(bucket, name)));
  return texts.map((text) => parseStep(Buffer.from(text).toString()));
}

/** Time passes: whoever owns the newest step has had it long enough. */
export async function passLease(aws: Aws, bucket: string): Promise<void> {
  const Key = (await aws.objects(bucket, "_steps/")).at(-1);
  if (Key === undefined) return;
  const last = JSON.parse(Buffer.from(await aws.body(bucket, Key)).toString());
  const Body = `${JSON.stringify({ ...last, claimed: "2020-01-01T00:00:00Z" })}\n`;
  await aws.s3.send(new PutObjectCommand({ Bucket: bucket, Key, Body }));
}

export interface Chained extends AsyncDisposable {
  /** @throws unless the promise is kept, `again` for what was checked before; answers the records */
  check(again?: boolean): Promise<StepRecord[]>;
}

/**
 * The promise: every step is complete and begins where the one before ended, every diff belongs to one step, and all
 * diffs in order, applied by git to nothing, make up the tree at the cursor.
 * @param story where to get the commit from that a person set the cursor to, and the tree of every commit there was
 */
export async function openChained(
  aws: Aws,
  { bucket, parameter }: Kept,
  { repository, trees }: Pick<Story, "repository" | "trees">,
): Promise<Chained> {
  const folder = await mkdtemp(join(tmpdir(), "chained-"));
  const run = async (args: string[], input?: Uint8Array) =>
    (await git(args, { env: { GIT_DIR: folder }, input })).toString().trim();
  await git(["init", "--quiet", "--bare", "--template=", folder]);
  const checked: StepRecord[] = [];
  let tree = EMPTY_TREE;

  async function follow(step: StepRecord): Promise<void> {
    const before = checked.at(-1);
    expect(step).toMatchObject({
      state: "complete",
      previous: before ? recordName(before.number) : null,
      number: before ? (before.next ?? before.number + 1) : 1,
    });
    const start = step.kind === "restarted" ? step.last : step.from;
    if (before) expect(step.expected ?? start).toBe(before.to);
    if (step.from === EMPTY_TREE) await run(["read-tree", "--empty"]);
    else if (!before || step.expected) {
      await run(["fetch", "--quiet", "--depth=1", `file://${repository.path}`, step.from]);
      await run(["read-tree", step.from]);
    }
    if (step.diff) await run(["apply", "--cached", "-"], await aws.body(bucket, step.diff));
    tree = await run(["write-tree"]);
    expect({ step: step.number, tree }).toEqual({ step: step.number, tree: treeOf(step.to, trees) });
    checked.push(step);
  }

  return {
    async check(again = false) {
      const lasting = ({ owner: _, claimed: __, ...step }: StepRecord) => step;
      if (again) {
        const then = (await records(aws, bucket)).slice(0, checked.length);
        expect(then.map(lasting)).toEqual(checked.map(lasting));
      }
      for (const step of await records(aws, bucket, checked.length)) await follow(step);
      const chain = [...checked];
      const named = chain.flatMap(({ diff }) => diff ?? []).sort();
      expect(new Set(named).size).toBe(named.length);
      expect((await aws.objects(bucket)).filter((name) => name.endsWith(".diff"))).toEqual(named);
      const cursor = await aws.parameter(parameter);
      expect(cursor).toMatchObject({ type: "String", value: chain.at(-1)?.to });
      expect(tree).toBe(treeOf(cursor?.value ?? "", trees));
      return chain;
    },
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

const treeOf = (commit: string, trees: ReadonlyMap<string, string>): string =>
  commit === EMPTY_TREE ? EMPTY_TREE : (trees.get(commit) ?? `no tree of ${commit}`);
