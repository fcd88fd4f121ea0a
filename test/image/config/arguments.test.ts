import { expect, test } from "bun:test";
import { parseArguments } from "../../../image/config/arguments.ts";

const defaults = {
  help: false,
  local: false,
  command: "collect",
  replay: false,
  repositories: [],
  problems: [],
} as const;

test.each([
  ["", {}],
  ["verify", { command: "verify" }],
  ["verify --replay", { command: "verify", replay: true }],
  ["local", { local: true }],
  ["local a b", { local: true, repositories: ["a", "b"] }],
  ["local verify a", { local: true, command: "verify", repositories: ["a"] }],
  ["local verify --replay a", { local: true, command: "verify", replay: true, repositories: ["a"] }],
  ["local -- --odd", { local: true, repositories: ["--odd"] }],
  ["local -h", { local: true, help: true }],
])("%p is accepted", (line, expected) => {
  expect(parseArguments(line.split(" ").filter(Boolean))).toEqual({ ...defaults, ...expected } as never);
});

test.each([
  ["local --reply", /^--reply is not an option/],
  ["local -x", /^-x is not an option/],
  ["--replay", /^--replay is an option of verify alone/],
  ["a b", /^a b: the worker accepts verify and --replay/],
])("%p is a mistake", (line, problem) => {
  expect(parseArguments(line.split(" ")).problems).toEqual([expect.stringMatching(problem)]);
});
