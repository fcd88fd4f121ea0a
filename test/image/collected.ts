import { expect } from "bun:test";
import type { Repository } from "../helpers/repository.ts";
import type { World } from "./world.ts";

/** A cursor that was there: the record that takes it up, and that of the step. */
export const steps = ["_steps/0000000001.json", "_steps/0000000002.json"];

/** Runs the worker with the cursor at `from`, null for none, and reads what it stored. */
export async function collect(
  world: World,
  repository: Repository,
  from: string | null,
  environment: Record<string, string> = {},
) {
  const { aws } = world;
  const { bucket, run, cursor } = await world.place(repository, from);
  const { status, events, left, stderr } = await run(environment);
  expect({ left, stderr }).toEqual({ left: [], stderr: "" });
  const calls = aws.calls.map(({ operation }) => operation);
  const names = await aws.objects(bucket);
  const named = (ending: string) => names.findLast((name) => name.endsWith(ending));
  const [diff, record] = [named(".diff"), named(".json")];
  return {
    status,
    event: events[0],
    calls,
    names,
    cursor: await cursor(),
    diff: diff && text(await aws.body(bucket, diff)),
    metadata: diff && (await aws.metadata(bucket, diff)),
    record: record && JSON.parse(text(await aws.body(bucket, record))),
  };
}

/** Every byte as one character, so that bytes that differ are shown as text. */
export const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString("latin1");
