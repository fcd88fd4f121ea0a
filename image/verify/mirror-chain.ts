import { createHash } from "node:crypto";
import { recordName, recordPrefix } from "../chain/record.ts";
import { listRecords } from "../chain/record-texts.ts";
import { emptyTree } from "../lib/object-id.ts";
import { inOrder } from "../lib/parallel.ts";
import { type ChangingState, changingState } from "../mirror/changing-state.ts";
import { type CompleteMirrorStep, type MirrorRecord, parseMirrorRecord } from "../mirror/record.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { checkUnfinished } from "./check-record.ts";
import { type Finding, problem } from "./finding.ts";
import { type OnProgress, readsAtOnce } from "./read-chain.ts";

/** What the other checks need of a complete step. The changes of all refs of all steps would be too much memory. */
export interface VerifiedStep
  extends Pick<
    CompleteMirrorStep,
    "number" | "to" | "head" | "pack" | "replaces" | "packs" | "lfs" | "lfsMissing"
  > {
  /** The ids to which the step moved refs, and what their tags lead to. */
  readonly tips: readonly string[];
}

export interface MirrorChain {
  /** The complete steps in their order. */
  readonly steps: readonly VerifiedStep[];
  readonly findings: readonly Finding[];
  /** The number of all records, valid or not. */
  readonly records: number;
}

/**
 * Reads all records of a mirror, and checks that they are one chain. After a problem, the checks go on as soon as the
 * records agree again.
 * @throws StoreError
 */
export async function readMirror(objects: ObjectStore, onProgress: OnProgress): Promise<MirrorChain> {
  const names = await listRecords(objects);
  const follower = followMirror();
  const texts = inOrder(names, readsAtOnce, async (name) => (await objects.get(name))?.text);
  let read = 0;
  for await (const text of texts) {
    const name = names[read++] ?? "";
    if (text !== undefined) follower.add(name, text, read === names.length);
    onProgress(`Reading records: ${read} of ${names.length}`);
  }
  return { steps: follower.steps, findings: follower.findings, records: names.length };
}

/** The complete record before, as far as it can be relied on. */
interface Before {
  readonly name: string;
  readonly hash: string;
  readonly record: CompleteMirrorStep;
  /** Whether a problem of it is reported already. What does not agree with it is no further problem. */
  readonly accused: boolean;
}

/** Takes a mirror's records one by one. */
function followMirror() {
  const steps: VerifiedStep[] = [];
  const findings: Finding[] = [];
  let expected = 1;
  /** Undefined behind a record that is not there, or unreadable. */
  let before: Before | undefined;
  /** The state after the last record, and whether all changes that led to it are known. */
  const state = changingState();
  let isKnown = true;

  const addComplete = (name: string, text: string, record: CompleteMirrorStep) => {
    const link = before?.accused ? undefined : checkLink(name, record, before, expected === 2);
    if (link) findings.push(link);
    const isForeign = link?.code === "record-foreign";
    const startsThere = startsAt(state, record);
    if (!isForeign) state.apply(record);
    const leadsThere = !isForeign && state.id() === record.to;
    const reason = isForeign || link?.object === name ? undefined : contradiction(record, before);
    const wrongRefs = isKnown && !isForeign && (!leadsThere || !startsThere);
    if (reason !== undefined || wrongRefs) {
      findings.push(
        changed(name, reason ?? "its refs do not lead from the state before to the one it names"),
      );
    }
    isKnown = leadsThere;
    const accused = isForeign || wrongRefs || reason !== undefined || link?.object === name;
    before = { name, hash: sha256(text), record, accused };
    const { number, to, head, pack, replaces, packs, lfs, lfsMissing, refs } = record;
    const tips = refs.flatMap(([, , id, peeled]) => [id ?? [], peeled ?? []].flat());
    // Each record repeats what is missing: that of the newest one is enough, and little memory.
    const last = steps.pop();
    if (last) steps.push({ ...last, lfsMissing: undefined });
    steps.push({
      number,
      to,
      head,
      pack,
      replaces,
      packs,
      lfs,
      lfsMissing,
      tips: isObject(head) ? [...tips, head] : tips,
    });
  };

  return {
    steps,
    findings,
    add(name: string, text: string, isLast: boolean): void {
      const number = Number(name.slice(recordPrefix.length, -".json".length));
      if (number > expected) {
        findings.push(gap(name, expected, number));
        [before, isKnown] = [undefined, false];
      }
      expected = number + 1;
      const parsed = parse(text);
      if (typeof parsed === "string" || parsed.number !== number) {
        findings.push(typeof parsed === "string" ? invalid(name, parsed) : misnamed(name, parsed.number));
        [before, isKnown] = [undefined, false];
      } else if (parsed.state === "claimed") {
        const finding = checkUnfinished(parsed, isLast, Date.now(), 0);
        if (finding) findings.push(finding);
        [before, isKnown] = [undefined, false];
      } else addComplete(name, text, parsed);
    },
  };
}

/** Checks that a record names the one before by its hash, and begins at the state to which that one led. */
function checkLink(
  name: string,
  record: CompleteMirrorStep,
  before: Before | undefined,
  isFirst: boolean,
): Finding | undefined {
  if (isFirst) {
    const begins = record.before === null && record.from === emptyTree && record.kind === "baseline";
    return begins ? undefined : changed(name, "it is the first one, but does not begin with nothing");
  }
  if (before === undefined) return undefined;
  const begins = record.from === before.record.to;
  if (record.before === before.hash) {
    return begins
      ? undefined
      : changed(name, `it begins at the state ${record.from}, and not where ${before.name} ended`);
  }
  if (begins) return changed(before.name, `its bytes are not those whose SHA-256 ${name} has`);
  return problem(
    "record-foreign",
    name,
    `${name} (of ${record.repository}) follows another record than ${before.name} (of ${before.record.repository}): one of the two belongs to another mirror.`,
    restoreRecord,
  );
}

/** Returns in what the packs of a record contradict it or the one before. */
function contradiction(
  { number, pack, replaces, packs }: CompleteMirrorStep,
  before: Before | undefined,
): string | undefined {
  if (number > 1 && (before === undefined || before.accused)) return undefined;
  const rest = (before?.record.packs ?? []).filter((name) => !replaces.includes(name));
  const right = pack ? [pack.name, ...rest] : rest;
  return right.join() === packs.join() ? undefined : "its packs are not those of the step before and its own";
}

/** Whether the old ids of a record's changes are those of the state before. */
const startsAt = (state: ChangingState, { refs }: CompleteMirrorStep): boolean =>
  refs.every(([name, from]) => (state.idOf(name) ?? null) === from);

function parse(text: string): MirrorRecord | string {
  try {
    return parseMirrorRecord(text);
  } catch (error) {
    return (error as Error).message.replace(/\s+/g, " ").slice(0, 200);
  }
}

const isObject = (head: string) => /^[0-9a-f]{40,64}$/.test(head);

const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");

const restoreRecord =
  "Restore it from the bucket's versions or a backup. Start no run before: its record would follow the wrong one.";

const changed = (name: string, reason: string) =>
  problem("record-changed", name, `${name} was changed: ${reason}.`, restoreRecord);

const invalid = (name: string, reason: string) =>
  problem("record-invalid", name, `${name} is no record of a mirror (${reason}).`, restoreRecord);

const misnamed = (name: string, number: number) =>
  problem("record-misnamed", name, `${name} holds the record of step ${number}.`, restoreRecord);

function gap(name: string, first: number, number: number): Finding {
  const missing =
    first === number - 1
      ? `${recordName(first)} is`
      : `${recordName(first)} to ${recordName(number - 1)} are`;
  const message = `${missing} missing before ${name}: what the refs were then, and which packs were added, is unknown.`;
  return problem("gap", recordName(first), message, restoreRecord);
}
