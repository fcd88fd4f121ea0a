import { expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describeRenames } from "../../modules/renames.ts";
import { SMALLEST, Template } from "../fixtures/template.ts";

const url = "https://github.com/acme/api.git";
const stack = (...repositories: object[]) => JSON.stringify(new Template({ ...SMALLEST, repositories }).json);
const renames = (before: object[], after: object[]) =>
  describeRenames(stack(...before), stack(...after), "eu-west-1");

const bucket =
  "s3://git-diff-results-$(aws sts get-caller-identity --region eu-west-1 --query Account --output text)";

test("a repository with another name: the error says how to move its cursor and its diffs", () => {
  const [rename, ...rest] = renames(
    [{ name: "acme/api", url }, { name: "web" }],
    [{ name: "api", url }, { name: "web" }],
  );
  expect(rest).toEqual([]);
  expect(rename?.split("\n")).toEqual([
    "acme/api is called api now. What it has stored stays under the old name, so that the next run would begin anew. A credential of its own goes with the old name: set it again after you deploy. To move what is stored, run this before, while no run does:",
    `  aws s3 sync --region eu-west-1 ${bucket}/acme/api/ ${bucket}/api/`,
    '  aws ssm put-parameter --region eu-west-1 --name /git-diff/api --type String --value "$(aws ssm get-parameter --region eu-west-1 --name /git-diff/acme/api --query Parameter.Value --output text)"',
  ]);
});

test("a mirror is moved by a command of its own, and the page has the same commands", () => {
  const commands = (...collect: string[]) => {
    const [rename, ...others] = renames([{ name: "old", url, collect }], [{ name: "new", url, collect }]);
    expect(others).toEqual([]);
    return rename?.split("\n  ").slice(1) ?? [];
  };
  const page = readFileSync(join(import.meta.dirname, "../../docs/operations.md"), "utf8");
  const [, block = ""] = /## Rename a repository\n.*?```sh\n(.*?)```/s.exec(page) ?? [];
  const [, ...documented] = block
    .replaceAll(" \\\n ", "")
    .replaceAll('"s3://$bucket', `"${bucket}`)
    .replace(/"(s3:[^"]*)"/g, "$1")
    .trim()
    .split("\n");
  expect(commands("diffs", "mirror")).toEqual(documented);
  expect(commands("mirror")).toEqual(documented.slice(2));
  expect(commands("diffs")).toEqual(documented.slice(0, 2));
});

test("what has a drill is reported once", () => {
  const mirrored = (name: string) => ({
    ...SMALLEST,
    repositories: [{ name, url, collect: ["mirror"] }],
    drill: { schedule: "rate(1 day)", parts: 1 },
  });
  const [before, after] = ["old", "new"].map((name) => JSON.stringify(new Template(mirrored(name)).json));
  expect(describeRenames(before ?? "", after ?? "", "eu-west-1")).toHaveLength(1);
});

test("what is no stack of this version has no other names", () => {
  expect(describeRenames('{"resource":{}}', stack({ name: "api", url }), "eu-west-1")).toEqual([]);
});

test.each<[string, object[], object[]]>([
  ["nothing", [{ name: "a", url }], [{ name: "a", url }]],
  ["another branch", [{ name: "a", url }], [{ name: "b", url, branch: "next" }]],
  ["another URL", [{ name: "a", url }], [{ name: "b", url: "https://github.com/acme/b.git" }]],
  [
    "one more of the same repository",
    [{ name: "a", url }],
    [
      { name: "a", url },
      { name: "b", url },
    ],
  ],
  ["the order", [{ name: "a", url }, { name: "b" }], [{ name: "b" }, { name: "a", url }]],
  [
    "one less of the same repository",
    [
      { name: "a", url },
      { name: "b", url },
    ],
    [{ name: "b", url }],
  ],
])("%s is no other name", (_, before, after) => {
  expect(renames(before, after)).toEqual([]);
});
