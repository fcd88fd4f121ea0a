import { createLogUpdate } from "log-update";
import type { Repository } from "../config/repositories.ts";
import type { Finding } from "../verify/finding.ts";
import type { VerifyReport } from "../verify/run.ts";
import { eventLines, explain, nameOf } from "./json.ts";
import { count } from "./terminal.ts";

/** What `verify` tells machines: one JSON object a line. The format is in the README. */
export function jsonVerdict(write: (text: string) => void): VerifyReport {
  const line = eventLines(write);
  return {
    progress() {},
    inspected(repository, { findings, ...facts }) {
      for (const finding of findings) line("finding", { ...nameOf(repository), ...finding });
      const problems = findings.filter(isProblem).length;
      const counts = { holds: problems === 0, problems, notes: findings.length - problems };
      line("verified", { ...nameOf(repository), place: repository.place, ...counts, ...facts });
    },
    failed: (repository, error) => line("failed", { ...nameOf(repository), ...explain(error) }),
    summary: (verdict) => line("summary", { ...verdict, failures: verdict.failed.length }),
  };
}

/** What `verify` tells a person. */
export function showVerdict(stream: NodeJS.WriteStream): VerifyReport {
  const live = createLogUpdate(stream);
  let drawn = 0;
  const print = ({ location, place }: Repository, good: boolean, lines: readonly string[]) => {
    live.clear();
    stream.write(
      `${good ? "✓" : "✗"} ${location.url} in ${place}\n${lines.map((line) => `  ${line}\n`).join("")}`,
    );
  };
  return {
    progress(repository, line) {
      if (performance.now() - drawn < 80) return;
      drawn = performance.now();
      live(`  ${repository}  ${line}`);
    },
    inspected(repository, { findings, steps, diffs, bytes, to, replayed }) {
      const sums = [count(steps, "step"), count(diffs, "diff"), count(bytes, "byte")];
      if (replayed !== null) sums.push(`${replayed} replayed`);
      const total = `${sums.join(", ")}${to === null ? "" : `, to ${to}`}`;
      print(repository, !findings.some(isProblem), [total, ...findings.flatMap(describe)]);
    },
    failed(repository, error) {
      const { code, message, remedy } = explain(error);
      print(repository, false, [`${message} [${code}]`, remedy]);
    },
    summary({ repositories, verified, problems, notes, seconds }) {
      live.clear();
      const all = `${verified} of ${repositories} verified in ${seconds.toFixed(1)} s`;
      stream.write(`${all}: ${count(problems, "problem")}, ${count(notes, "note")}\n`);
    },
  };
}

const isProblem = ({ level }: Finding) => level === "problem";

const shown = 10;

function describe({ code, level, message, remedy, paths = [] }: Finding): string[] {
  const more = paths.length > shown ? [`    and ${paths.length - shown} more`] : [];
  return [
    `${level === "problem" ? "✗" : "·"} ${message} [${code}]`,
    ...paths.slice(0, shown).map((path) => `    ${JSON.stringify(path)}`),
    ...more,
    `  ${remedy}`,
  ];
}
