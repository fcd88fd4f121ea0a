import { expect, test } from "bun:test";
import { describeRenames } from "../../modules/renames.ts";
import { SMALLEST, Template } from "../fixtures/template.ts";

const url = "https://github.com/acme/api.git";
const stack = (...repositories: object[]) => JSON.stringify(new Template({ ...SMALLEST, repositories }).json);
const renames = (before: object[], after: object[]) =>
  describeRenames(stack(...before), stack(...after), "eu-west-1");

const bucket =
  "s3://git-diff-results-$(aws sts get-caller-identity --region eu-west-1 --query Account --output text)";

test("a repository with another name is told how to move its cursor and its diffs", () => {
  const [rename, ...rest] = renames(
    [{ name: "acme/api", url }, { name: "web" }],
    [{ name: "api", url }, { name: "web" }],
  );
  expect(rest).toEqual([]);
  expect(rename?.split("\n")).toEqual([
    "acme/api is called api now. Its cursor and its diffs stay under the old name, so that the next run would store a new baseline. A credential of its own goes with the old name: set it again after you deploy. To move cursor and diffs, run this before:",
    `  aws s3 sync --region eu-west-1 ${bucket}/acme/api/ ${bucket}/api/`,
    '  aws ssm put-parameter --region eu-west-1 --name /git-diff/api --type String --value "$(aws ssm get-parameter --region eu-west-1 --name /git-diff/acme/api --query Parameter.Value --output text)"',
  ]);
});

test("a mirror is moved by its own commands", () => {
  const collect = ["diffs", "mirror"];
  const [rename] = renames([{ name: "old", url, collect }], [{ name: "new", url, collect }]);
  expect(rename?.split("\n").at(-1)).toBe(
    `  npm --silent start -- export ${bucket}/old.git --output - | npm --silent start -- import - ${bucket}/new.git`,
  );
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
