import type { CollectedStep } from "../collect/outcome.ts";
import { labelOf } from "../config/repository.ts";
import type { ConfigError } from "../lib/errors.ts";
import { emptyTree } from "../lib/object-id.ts";
import type { CompleteMirrorStep } from "../mirror/record.ts";
import { type RefEvent, refEvents } from "../mirror/ref-events.ts";
import type { Result, RunReport } from "../run/report.ts";
import type { RestoreReport } from "../run/restore-report.ts";
import type { TablesReport } from "../tables/tables-report.ts";
import { type Finding, isProblem } from "../verify/finding.ts";
import type { VerifyReport } from "../verify/report.ts";
import { explain } from "./explain.ts";
import { liveLines } from "./live-lines.ts";

/** Shows a run to a person: a line for each repository at work, and the result of each one. */
export function terminalRunReport(stream: NodeJS.WriteStream): RunReport {
  const lines = liveLines(stream);
  return {
    progress: lines.show,
    outcome(repository, outcome) {
      const label = labelOf(repository);
      lines.finish(label, `✓ ${label}\n${describeOutcome(outcome)}\n`);
    },
    failed(repository, error) {
      const { code, message, remedy } = explain(error);
      const label = labelOf(repository);
      lines.finish(label, `✗ ${label}\n  ${message} [${code}]\n  ${remedy}\n`);
    },
    tablesFailed(place, error) {
      const { code, message, remedy } = explain(error);
      lines.finish(place, `✗ the tables in ${place}\n  ${message} [${code}]\n  ${remedy}\n`);
    },
    reportFailed(place, error) {
      const { code, message, remedy } = explain(error);
      lines.finish(place, `✗ the report ${place}\n  ${message} [${code}]\n  ${remedy}\n`);
    },
    summary({ repositories, failures: number, failed, seconds, ...others }) {
      const total = `${repositories} ${repositories === 1 ? "repository" : "repositories"}`;
      const parts = Object.entries({ ...others, failed: number }).filter(([, number]) => number > 0);
      const text = parts.map(([status, number]) => `${number} ${status}`).join(", ");
      const rest = number > failed.length ? ` and ${number - failed.length} more` : "";
      const failures = number > 0 ? `Failed: ${failed.join(", ")}${rest}\n` : "";
      lines.end(`${total} in ${seconds.toFixed(1)} s: ${text}\n${failures}`);
    },
  };
}

/** Shows a verification to a person. */
export function terminalVerifyReport(stream: NodeJS.WriteStream): VerifyReport {
  const lines = liveLines(stream);
  return {
    progress: lines.show,
    verified({ label, destination }, { findings, steps, diffs, packs, bytes, to, part, replayed }) {
      const objects = packs === undefined ? plural(diffs ?? 0, "diff") : plural(packs, "pack");
      const totals = [plural(steps, "step"), objects, plural(bytes, "byte")];
      if (part) totals.push(`part ${part}`);
      if (replayed !== null) totals.push(`${replayed} replayed`);
      const total = `${totals.join(", ")}${to === null ? "" : `, to ${to}`}`;
      const mark = findings.some(isProblem) ? "✗" : "✓";
      const details = [total, ...findings.flatMap(describeFinding)].map((line) => `  ${line}\n`).join("");
      lines.finish(label, `${mark} ${label}${placeOf(label, destination)}\n${details}`);
    },
    failed({ label, destination }, error) {
      const { code, message, remedy } = explain(error);
      lines.finish(label, `✗ ${label}${placeOf(label, destination)}\n  ${message} [${code}]\n  ${remedy}\n`);
    },
    summary({ repositories, verified, problems, notes, seconds }) {
      const total = `${verified} of ${repositories} verified in ${seconds.toFixed(1)} s`;
      lines.end(`${total}: ${plural(problems, "problem")}, ${plural(notes, "note")}\n`);
    },
  };
}

/** Shows a restoration to a person. */
export function terminalRestoreReport(stream: NodeJS.WriteStream, place: string): RestoreReport {
  const lines = liveLines(stream);
  const finish = (text: string) => {
    lines.finish(place, text);
    lines.end("");
  };
  return {
    progress: (line) => lines.show(place, line),
    restored: ({ folder, step, state }) =>
      finish(`✓ ${place}\n  step ${step}, state ${state}\n  ${folder}\n`),
    pushed: ({ url, step, state, created, updated, deleted, unchanged, left, head }) => {
      const counts = `${created} created, ${updated} updated, ${deleted} deleted, ${unchanged} unchanged`;
      const lines = [
        `step ${step}, state ${state}`,
        `${url}: ${counts}`,
        ...left.map((ref) => `· ${ref} was never in the mirror, and is left alone`),
        ...(head ? [`! HEAD is ${head.found ?? "nothing"} there, and ${head.wanted} in the mirror`] : []),
      ];
      finish(`✓ ${place}\n${lines.map((line) => `  ${line}\n`).join("")}`);
    },
    failed: ({ code, message, remedy }) => finish(`✗ ${place}\n  ${message} [${code}]\n  ${remedy}\n`),
  };
}

/** Shows tables and their page to a person. */
export function terminalTablesReport(stream: NodeJS.WriteStream): TablesReport {
  const lines = liveLines(stream);
  const finish = (text: string) => {
    lines.finish("tables", text);
    lines.end("");
  };
  return {
    progress: (line) => lines.show("tables", line),
    tables: ({ tables, steps }) => finish(`✓ ${plural(steps, "step")} in the tables\n  ${tables}\n`),
    report: ({ report, bytes }) => finish(`✓ the report, ${plural(bytes, "byte")}\n  ${report}\n`),
    failed(of, error) {
      const { code, message, remedy } = explain(error);
      finish(`✗ ${Object.values(of).join(" ")}\n  ${message} [${code}]\n  ${remedy}\n`);
    },
  };
}

/** A mirror is named by its place. */
const placeOf = (label: string, destination: string) => (label === destination ? "" : ` in ${destination}`);

/** Shows every mistake of a configuration. */
export const showConfigError = (stream: NodeJS.WriteStream, { problems, remedy }: ConfigError) =>
  stream.write(`${problems.map((problem) => `✗ ${problem}\n`).join("")}${remedy}\n`);

function describeOutcome(outcome: Result): string {
  switch (outcome.status) {
    case "empty":
      return "  no commit yet: nothing to store";
    case "unchanged":
      return `  unchanged at ${"commit" in outcome ? outcome.commit : outcome.state}`;
    case "locked":
      return `  locked by another run, which owns ${outcome.record} until ${outcome.until}`;
    case "collected":
      return outcome.steps.map(describeStep).join("\n");
    case "mirrored":
      return [...outcome.steps.map(describeMirrorStep), `  ${outcome.storedAt}`].join("\n");
  }
}

function describeMirrorStep(step: CompleteMirrorStep): string {
  const { number, kind, refs, pack, refused = [], lfs, lfsMissing } = step;
  const content = pack ? `${plural(pack.objects, "object")} in ${pack.bytes} bytes` : "no new object";
  const lines = [
    `step ${number} (${kind}): ${plural(refs.length, "ref")} changed, ${content}`,
    ...refEvents(step).map(describeRef),
    ...(lfs ? [`${plural(lfs.length, "large file")} stored`] : []),
    ...(lfsMissing ? [`${plural(lfsMissing.length, "large file")} missing`] : []),
    ...refused.map((name) => `! ${name} was refused by the host, and is as it was`),
  ];
  return lines.map((line) => `  ${line}`).join("\n");
}

function describeRef(change: RefEvent): string {
  if (change.event === "ref-deleted") return `! ${change.ref} was deleted; it was at ${change.from}`;
  const what = change.certain ? "was rewritten" : "may have been rewritten";
  return `! ${change.ref} ${what}, from ${change.from} to ${change.to}`;
}

function describeStep({ record, storedAt }: CollectedStep): string {
  const { kind, from, to, commits, files, linesAdded, linesRemoved, bytes } = record;
  const start = from === emptyTree ? "the empty tree" : from;
  const title = `  ${kind} from ${start} to ${to}${commits === null ? "" : ` (${plural(commits, "commit")})`}`;
  if (storedAt === null) return `${title}\n  no change in sum: nothing to store`;
  if (files === null) return `${title}\n  ${storedAt}`;
  const lines = `${plural(linesAdded ?? 0, "line")} added, ${linesRemoved} removed`;
  return `${title}\n  ${plural(files, "file")}, ${lines}, ${bytes} bytes\n  ${storedAt}`;
}

const pathsShown = 10;

function describeFinding({ code, level, message, remedy, paths = [] }: Finding): string[] {
  const more = paths.length > pathsShown ? [`    and ${paths.length - pathsShown} more`] : [];
  return [
    `${level === "problem" ? "✗" : "·"} ${message} [${code}]`,
    ...paths.slice(0, pathsShown).map((path) => `    ${JSON.stringify(path)}`),
    ...more,
    `  ${remedy}`,
  ];
}

const plural = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
