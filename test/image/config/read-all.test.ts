import { expect, test } from "bun:test";
import { readAll } from "../../../image/config/read-all.ts";
import { ConfigError } from "../../../image/lib/errors.ts";

const bad = (problem: string) => (): number => {
  throw new ConfigError([problem]);
};

test("returns the results of all readers", () => {
  expect(
    readAll(
      [],
      () => 1,
      () => "two",
    ),
  ).toEqual([1, "two"]);
});

test("one error has the problems of all readers, after those given", () => {
  const read = () => readAll(["first"], bad("second"), () => 1, bad("third"));
  expect(read).toThrow(ConfigError);
  expect(read).toThrow("first second third");
});

test("an error that is no problem of the configuration is thrown as it is", () => {
  const defect = () => {
    throw new TypeError("defect");
  };
  expect(() => readAll(["first"], defect)).toThrow(TypeError);
});
