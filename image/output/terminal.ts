import { createLogUpdate } from "log-update";
import type { CollectedStep, Outcome } from "../collect/collect.ts";
import { labelOf } from "../config/repositories.ts";
import { emptyTree } from "../diff/diff.ts";
import { explain, type Report } from "./json.ts";

type Stream = NodeJS.WriteStream;

/** A readable report for a terminal: a line for each repository at work, and one for each that is done. */
export function display(stream: Stream): Report {
  const live = createLogUpdate(stream);
  const working = new Map<string, string>();
  let drawn = 0;
  const draw = () => live([...working].map(([name, line]) => `  ${name}  ${line}`).join("\n"));
  const done = (name: string, text: string) => {
    working.delete(name);
    live.clear();
    stream.write(`${text}\n`);
    draw();
  };
  return {
    progress(repository, line) {
      working.set(repository, line);
      // git speaks far more often than anybody can read.
      if (performance.now() - drawn < 80) return;
      drawn = performance.now();
      draw();
    },
    outcome(repository, outcome) {
      const name = labelOf(repository);
      done(name, `✓ ${name}\n${describe(outcome)}`);
    },
    failed(repository, error) {
      const { code, message, remedy } = explain(error);
      const name = labelOf(repository);
      done(name, `✗ ${name}\n  ${message} [${code}]\n  ${remedy}`);
    },
    misconfigured(error) {
      stream.write(`${error.problems.map((problem) => `✗ ${problem}\n`).join("")}${error.remedy}\n`);
    },
    summary({ repositories, collected, unchanged, empty, left, failed, seconds }) {
      live.clear();
      const all = [
        `${collected} collected`,
        `${unchanged} unchanged`,
        `${empty} empty`,
        `${left} left to another run`,
        `${failed.length} failed`,
      ];
      stream.write(
        `${repositories} ${repositories === 1 ? "repository" : "repositories"} in ${seconds.toFixed(1)} s: `,
      );
      stream.write(`${all.filter((part) => !part.startsWith("0 ")).join(", ")}\n`);
      if (failed.length > 0) stream.write(`Failed: ${failed.join(", ")}\n`);
    },
  };
}

function describe(outcome: Outcome): string {
  if (outcome.status === "empty") return "  no commit yet: nothing to store";
  if (outcome.status === "unchanged") return `  unchanged at ${outcome.commit}`;
  if (outcome.status === "left")
    return `  left to the run that owns ${outcome.record}, until ${outcome.until}`;
  return outcome.steps.map(describeStep).join("\n");
}

function describeStep({ step, place }: CollectedStep): string {
  const from = step.from === emptyTree ? "the empty tree" : step.from;
  const commits = step.commits === null ? "" : ` (${count(step.commits, "commit")})`;
  const title = `  ${step.kind} from ${from} to ${step.to}${commits}`;
  if (place === null) return `${title}\n  no change in sum: nothing to store`;
  const lines = `${count(step.files ?? 0, "file")}, ${count(step.linesAdded ?? 0, "line")} added, ${step.linesRemoved} removed`;
  return `${title}\n${step.files === null ? "" : `  ${lines}, ${step.bytes} bytes\n`}  ${place}`;
}

export const count = (number: number, noun: string) => `${number} ${noun}${number === 1 ? "" : "s"}`;
