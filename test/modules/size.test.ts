import { expect, test } from "bun:test";
import { sizeOf } from "../../modules/size.ts";

test.each([
  ['{"a":"été"}', 13],
  // Part of a value: an account id or the end of a host name. A whole value: an ARN.
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's syntax
  ['"x-${TfToken[TOKEN.7]}/y"', '"x-amazonaws.com/y"'.length],
  // biome-ignore lint/suspicious/noTemplateCurlyInString: Terraform's syntax
  ['["${TfToken[TOKEN.7]}"]', 154],
])("%s takes %d bytes", (json, bytes) => {
  expect(sizeOf(json)).toBe(bytes);
});
