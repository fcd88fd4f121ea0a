import { describe, expect, test } from "bun:test";
import { Testing } from "cdktf";
import { addStacks, GitDiff } from "../main.ts";
import { ConfigurationError } from "../modules/configuration-error.ts";
import { resolve } from "./fixtures/stack-role.ts";
import { IMAGE, repositories, SMALLEST, Template } from "./fixtures/template.ts";

describe("a configuration with several mistakes", () => {
  /** Returns the lines of the error for a configuration that cannot be deployed. */
  const problems = (gitDiff: unknown): string[] => {
    try {
      addStacks(Testing.app(), gitDiff);
    } catch (error) {
      if (!(error instanceof ConfigurationError)) throw error;
      return error.message.split("\n").slice(1);
    }
    return [];
  };
  const large = (name: string, first: number) => ({ name, repositories: repositories(1000, first) });

  test("every size that AWS limits is reported, of every collection", () => {
    const collections = [
      large("aa", 1),
      { name: "bb", repositories: [{ name: "legacy" }] },
      large("cc", 2000),
    ];
    expect(problems({ region: "eu-west-1", image: IMAGE, collections })).toEqual([
      expect.stringMatching(
        /^ {2}gitDiff: collection "aa" has 1000 repositories, which need \d+ bytes .*3 coll/,
      ),
      expect.stringMatching(
        /^ {2}gitDiff: the role "[^"]*collection aa" needs \d+ policies .*IAM allows 10: .*/,
      ),
      expect.stringMatching(/^ {2}gitDiff: collection "cc" has 1000 repositories/),
      expect.stringMatching(/^ {2}gitDiff: the role "[^"]*collection cc" needs \d+ policies/),
    ]);
  });

  test("a bucket's policy with the roles of too many collections is reported, and how many there may be", () => {
    const configured = (count: number) => ({
      region: "eu-west-1",
      image: IMAGE,
      bucket: "acme-diffs",
      rolePath: "/acme/data/",
      collections: Array.from({ length: count }, (_, index) => ({
        name: `c${index + 1000}`,
        repositories: repositories(1, index),
      })),
    });
    const [problem = "", ...others] = problems(configured(150));
    expect(others).toEqual([]);
    expect(problem).toMatch(
      /^ {2}gitDiff: the policy for the bucket acme-diffs has \d+ bytes, .*; S3 allows 20480: /,
    );
    const most = Number(/use (\d+) collections at most$/.exec(problem)?.[1]);
    expect(problems(configured(most + 1))).not.toEqual([]);
    const template = new Template(configured(most));
    const stored = resolve(template, template.json.output.bucket_policy?.value);
    // What is computed is little more than what S3 will count.
    expect(stored.length).toBeGreaterThan(0.8 * 20_480);
    expect(stored.length).toBeLessThanOrEqual(20_480);
  });

  test("sizes are reported together with values that are wrong", () => {
    const wrong = {
      region: "eu-wset-1",
      name: "A",
      timezone: "x",
      cpu: 4096,
      memory: 9,
      colour: "red",
      repositories: [1, { name: "//" }, { name: "a", branch: "a..b" }, { name: "a" }, ...repositories(1000)],
    };
    const lines = problems(wrong);
    expect(lines).toHaveLength(12);
    expect(lines.slice(-2)).toEqual([
      expect.stringContaining('collection "all" has 1001 repositories, which need'),
      expect.stringContaining('the worker of collection all" needs'),
    ]);
  });

  test("the sizes of every stack in a list are reported", () => {
    const stack = { region: "eu-west-1", image: IMAGE, repositories: repositories(500) };
    expect(problems(["dev", "Prod", "Test"].map((name) => ({ ...stack, name })))).toEqual([
      expect.stringMatching(/^ {2}gitDiff\[1\]\.name = "Prod" cannot be the prefix/),
      expect.stringMatching(/^ {2}gitDiff\[2\]\.name = "Test" cannot be the prefix/),
      ...[0, 1, 2].flatMap((index) => [
        expect.stringContaining(`gitDiff[${index}]: collection "all" has 500 repositories`),
        expect.stringContaining(`gitDiff[${index}]: the role`),
      ]),
    ]);
  });

  test("a name that two stacks of a list have is reported with all other mistakes, by its place", () => {
    const wrong = { ...SMALLEST, name: "prod", timezone: "x" };
    expect(problems([7, { ...SMALLEST, name: "prod" }, wrong])).toEqual([
      expect.stringMatching(/^ {2}gitDiff\[0\] = 7 is not an object/),
      expect.stringMatching(/^ {2}gitDiff\[2\]\.timezone = "x" /),
      '  gitDiff[2].name = "prod" is used twice; use a unique name',
    ]);
  });

  test("where too little is left to compute a size, the rest is reported", () => {
    const odd = [undefined, null, 7, [], {}, { region: "x", repositories: [] }, { collections: [null, {}] }];
    for (const gitDiff of odd) expect(problems(gitDiff).length).toBeGreaterThan(0);
  });

  test("a valid configuration adds a stack", () => {
    const app = Testing.app();
    addStacks(app, SMALLEST);
    expect(app.node.tryFindChild("git-diff")).toBeInstanceOf(GitDiff);
  });
});
