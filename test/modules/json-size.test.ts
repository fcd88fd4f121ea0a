import { expect, test } from "bun:test";
import { jsonSize } from "../../modules/json-size.ts";
import { ref } from "../fixtures/template.ts";

test.each([
  ['{"a":"été"}', 13],
  // A part of a value is an account id or the end of a host name; a whole value is an ARN.
  [`"x-${ref("TfToken[TOKEN.7]")}/y"`, '"x-amazonaws.com/y"'.length],
  [`["${ref("TfToken[TOKEN.7]")}"]`, 154],
])("%s takes %d bytes", (json, bytes) => {
  expect(jsonSize(json)).toBe(bytes);
});
