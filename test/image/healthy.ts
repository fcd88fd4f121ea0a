import { expect } from "bun:test";
import { type Collection, openCollection } from "./collection.ts";

/** Five steps: a baseline, three changes, and one that changes nothing in sum. */
export async function openHealthy(): Promise<{ healthy: Collection; commits: string[]; diffs: string[] }> {
  const healthy = await openCollection();
  const { repository } = healthy;
  const commits: string[] = [];
  for (const content of ["one\n", "two\n", "three\n", "four\n"]) {
    await repository.write("file", content);
    commits.push(await repository.commit());
    expect(await healthy.collect()).toMatchObject({ status: 0, stderr: "" });
  }
  commits.push(await repository.commit("Nothing"));
  expect(await healthy.collect()).toMatchObject({ status: 0 });
  const diffs = await healthy.diffs();
  expect(diffs).toHaveLength(4);
  return { healthy, commits, diffs };
}
