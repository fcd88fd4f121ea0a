import { expect, test } from "bun:test";
import { parseArguments } from "../../../image/config/arguments.ts";

const defaults = {
  help: false,
  local: false,
  command: "collect",
  operands: [],
  options: {},
  problems: [],
} as const;

test.each([
  ["", {}],
  ["verify", { command: "verify" }],
  ["verify --replay", { command: "verify", options: { replay: true } }],
  ["local", { local: true }],
  ["local a b", { local: true, operands: ["a", "b"] }],
  ["local verify a", { local: true, command: "verify", operands: ["a"] }],
  ["local verify --replay a", { local: true, command: "verify", options: { replay: true }, operands: ["a"] }],
  ["local -- --odd", { local: true, operands: ["--odd"] }],
  ["local -h", { local: true, help: true }],
  [
    "local verify --part 2/7 a.git",
    { local: true, command: "verify", options: { part: "2/7" }, operands: ["a.git"] },
  ],
  ["local mirror a", { local: true, command: "mirror", operands: ["a"] }],
  [
    "local restore s3://b/a.git d --step 3",
    { local: true, command: "restore", operands: ["s3://b/a.git", "d"], options: { step: "3" } },
  ],
  [
    "local export a --since 3 --output -",
    { local: true, command: "export", operands: ["a"], options: { since: "3", output: "-" } },
  ],
  [
    "local restore a.git --push https://host/b.git --exact",
    {
      local: true,
      command: "restore",
      operands: ["a.git"],
      options: { push: "https://host/b.git", exact: true },
    },
  ],
  [
    "local show a.git main:docs/a.md",
    { local: true, command: "show", operands: ["a.git", "main:docs/a.md"] },
  ],
  ["local import - a", { local: true, command: "import", operands: ["-", "a"] }],
])("%p is accepted", (line, expected) => {
  expect(parseArguments(line.split(" ").filter(Boolean))).toEqual({ ...defaults, ...expected } as never);
});

test.each([
  ["local --reply", /^--reply is not an option/],
  ["local -x", /^-x is not an option/],
  ["--replay", /^--replay is an option of verify alone/],
  ["--part 1/2", /^--part is an option of verify alone/],
  ["local restore", /^restore is followed by PLACE \[DIR\]/],
  ["local restore a b c", /^restore is followed by PLACE \[DIR\]/],
  ["local show a", /^show is followed by PLACE REF:PATH/],
  ["local --step 3", /^--step is an option of restore and show alone/],
  ["local --push a", /^--push is an option of restore alone/],
  ["local import a", /^import is followed by DELTA PLACE/],
  ["a b", /^a b: the worker accepts a command and its options \(see --help\), and/],
])("%p is a mistake", (line, problem) => {
  expect(parseArguments(line.split(" ")).problems).toEqual([expect.stringMatching(problem)]);
});
