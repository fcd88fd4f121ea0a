import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { recordName } from "../../../image/chain/record.ts";
import type { CollectedRepository } from "../../fixtures/collected-repository.ts";
import { collectFiveSteps } from "../../fixtures/five-steps.ts";

setDefaultTimeout(60_000);

let collected: CollectedRepository;
let commits: string[];
let diffs: string[];
beforeAll(async () => {
  ({ collected, commits, diffs } = await collectFiveSteps());
});
afterAll(() => collected[Symbol.asyncDispose]());

const diff = (number: number): string => diffs[number - 1] ?? "";
const unfinished = ({ bytes: _, sha256: __, finished: ___, ...claim }: object & Record<string, unknown>) => ({
  ...claim,
  state: "claimed",
});
const flip = (text: string) => `${text.slice(0, -2)}${text.at(-2) === "X" ? "Y" : "X"}\n`;

type Damage = [
  name: string,
  damage: (collection: CollectedRepository) => Promise<unknown>,
  finding: { code: string; level?: string; object: () => string; mentions?: () => string },
];

const damages: Damage[] = [
  [
    "a deleted diff",
    (collection) => collection.remove(diff(2)),
    { code: "diff-missing", object: () => diff(2), mentions: () => recordName(2) },
  ],
  [
    "a diff cut short",
    async (collection) => collection.write(diff(2), (await collection.read(diff(2))).slice(0, -9)),
    { code: "diff-altered", object: () => diff(2), mentions: () => "bytes instead of" },
  ],
  [
    "a flipped byte in a diff",
    async (collection) => collection.write(diff(3), flip(await collection.read(diff(3)))),
    { code: "diff-altered", object: () => diff(3), mentions: () => "its SHA-256 is" },
  ],
  [
    "a deleted record between two others",
    (collection) => collection.remove(recordName(3)),
    { code: "gap", object: () => recordName(3), mentions: () => `still stored, in ${diff(3)}.` },
  ],
  [
    "two deleted records and the diff of one",
    async (collection) => {
      for (const name of [recordName(2), recordName(3), diff(2), diff(3)]) await collection.remove(name);
    },
    {
      code: "gap",
      object: () => recordName(3),
      mentions: () => `the record before that is ${recordName(1)}`,
    },
  ],
  [
    "a deleted first record",
    (collection) => collection.remove(recordName(1)),
    { code: "gap", object: () => recordName(1), mentions: () => diff(1) },
  ],
  [
    "deleted last records",
    async (collection) => {
      for (const number of [4, 5]) await collection.remove(recordName(number));
      await collection.write("cursor", commits[3] ?? "");
    },
    { code: "gap", object: () => recordName(4), mentions: () => `still stored, in ${diff(4)}.` },
  ],
  [
    "no record at all",
    async (collection) => {
      for (const number of [1, 2, 3, 4, 5]) await collection.remove(recordName(number));
    },
    { code: "records-missing", object: () => "_steps/", mentions: () => "4 diffs" },
  ],
  [
    "a record that is no JSON",
    (collection) => collection.write(recordName(3), "garbage"),
    { code: "record-invalid", object: () => recordName(3), mentions: () => `still stored, in ${diff(3)}.` },
  ],
  [
    "a record of another schema, the last",
    (collection) => collection.amend(5, (known) => ({ ...known, schemaVersion: 2 })),
    { code: "record-invalid", object: () => recordName(5), mentions: () => "schemaVersion" },
  ],
  [
    "a copy of a record under another name",
    async (collection) => collection.write(recordName(6), await collection.read(recordName(2))),
    { code: "record-misnamed", object: () => recordName(6), mentions: () => "step 2" },
  ],
  [
    "a second record after the same one",
    async (collection) => {
      await collection.write(recordName(6), await collection.read(recordName(2)));
      await collection.amend(6, (known) => ({ ...known, number: 6 }));
    },
    {
      code: "overlap",
      object: () => recordName(6),
      mentions: () => `${recordName(6)} and ${recordName(2)} both follow`,
    },
  ],
  [
    "two records that claim the same diff for different changes",
    async (collection) => {
      await collection.amend(3, (known) => ({ ...known, diff: diff(2) }));
      await collection.remove(diff(3));
    },
    { code: "overlap", object: () => diff(2), mentions: () => `${recordName(2)} and ${recordName(3)}` },
  ],
  [
    "a record that begins elsewhere",
    (collection) => collection.amend(3, (known) => ({ ...known, from: commits[0], last: commits[0] })),
    { code: "gap", object: () => recordName(3), mentions: () => `begins at ${commits[0]}` },
  ],
  [
    "a record that contradicts itself",
    (collection) => collection.amend(3, (known) => ({ ...known, from: commits[0] })),
    { code: "record-inconsistent", object: () => recordName(3), mentions: () => "contradicts itself" },
  ],
  [
    "a record with another tree",
    (collection) => collection.amend(3, (known) => ({ ...known, fromTree: commits[0] })),
    { code: "record-inconsistent", object: () => recordName(3), mentions: () => "tree" },
  ],
  [
    "a record that follows another one than the one before it",
    (collection) => collection.amend(3, (known) => ({ ...known, previous: recordName(4) })),
    {
      code: "record-inconsistent",
      object: () => recordName(3),
      mentions: () => `names ${recordName(4)} as the record before it`,
    },
  ],
  [
    "a diff that no record names",
    (collection) => collection.write("2026-01-02-0000_0000000-1111111.diff", "diff"),
    { code: "orphan", object: () => "2026-01-02-0000_0000000-1111111.diff" },
  ],
  [
    "an unfinished record between two others",
    (collection) => collection.amend(4, unfinished),
    { code: "unfinished", object: () => recordName(4), mentions: () => "but other steps follow" },
  ],
  [
    "an unfinished last record, its run at work",
    async (collection) => {
      await collection.amend(5, unfinished);
      await collection.write("cursor", commits[3] ?? "");
    },
    {
      code: "unfinished",
      level: "note",
      object: () => recordName(5),
      mentions: () => "may be at work on it until",
    },
  ],
  [
    "an unfinished last record, its run dead",
    async (collection) => {
      await collection.amend(5, (known) => ({ ...unfinished(known), claimed: "2026-01-01T00:00:00Z" }));
      await collection.write("cursor", commits[3] ?? "");
    },
    { code: "unfinished", level: "note", object: () => recordName(5), mentions: () => "failed or died" },
  ],
  [
    "a cursor that is one step behind",
    (collection) => collection.write("cursor", commits[3] ?? ""),
    { code: "cursor-behind", level: "note", object: () => "cursor" },
  ],
  [
    "a cursor that was set elsewhere",
    (collection) => collection.write("cursor", commits[1] ?? ""),
    { code: "cursor-set", level: "note", object: () => "cursor", mentions: () => commits[1] ?? "" },
  ],
  [
    "a deleted cursor",
    (collection) => collection.remove("cursor"),
    { code: "cursor-missing", level: "note", object: () => "cursor", mentions: () => commits[4] ?? "" },
  ],
  [
    "a cursor that is no commit",
    (collection) => collection.write("cursor", "HEAD"),
    { code: "cursor-invalid", object: () => "cursor", mentions: () => '"HEAD"' },
  ],
];

test.each(damages)("%s", async (_, damage, { code, level = "problem", object, mentions = () => "" }) => {
  await using damaged = await collected.copy();
  await damage(damaged);
  const { status, events, stderr } = await damaged.verify();
  const findings = events.filter(({ event }) => event === "finding");
  expect(findings.map(({ code, object }) => `${code} ${object}`)).toEqual([
    expect.stringMatching(new RegExp(`^${code} .*${object()}$`)),
  ]);
  expect(findings[0]).toMatchObject({ level, message: expect.stringContaining(mentions()) });
  expect(findings[0]?.remedy).not.toBe("");
  const holds = level === "note";
  expect(events.at(-2)).toMatchObject({ event: "verified", holds });
  expect({ status, stderr }).toEqual({ status: holds ? 0 : 1, stderr: "" });
});
