import { afterAll, beforeAll, beforeEach, describe, expect, setDefaultTimeout, test } from "bun:test";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Configuration, readEnvironment } from "../../../image/config/environment.ts";
import { ConfigError } from "../../../image/lib/errors.ts";
import type { Repository } from "../../fixtures/repository.ts";
import { openTestbed, type Testbed } from "../../fixtures/testbed.ts";
import { runWorker } from "../../fixtures/worker.ts";

setDefaultTimeout(30_000);
const now = new Date("2026-01-02T03:04:05Z");
const good = {
  GIT_REPO: "https://host.example/team/api.git",
  PARAMETER_NAME: "/git-diff/api",
  RESULTS_BUCKET: "bucket/api",
};
const entry = {
  gitRepo: good.GIT_REPO,
  parameterName: good.PARAMETER_NAME,
  resultsBucket: good.RESULTS_BUCKET,
};

type Changes = Record<string, string | undefined>;
const read = (changes: Changes): Configuration => readEnvironment({ ...good, ...changes }, now);
const many = (...entries: unknown[]) => ({ REPOSITORIES: JSON.stringify(entries) });
const readMany = (entries: unknown[], more: Changes = {}) =>
  readEnvironment({ ...many(...entries), ...more }, now);

function problemsOf(work: () => unknown): string[] {
  try {
    work();
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
  return [];
}

describe("valid", () => {
  test("the original's four variables, with defaults for the rest", () => {
    expect(read({ RESULTS_BUCKET: "bucket/api/", GIT_HTTP_CREDENTIALS: "-" })).toEqual({
      repositories: [
        {
          location: { url: good.GIT_REPO, transport: "https" },
          branch: undefined,
          cursor: "/git-diff/api",
          destination: "bucket/api",
          credentials: undefined,
        },
      ],
      settings: {
        concurrency: 8,
        timeoutSeconds: 3600,
        maxDiffBytes: 10 * 1024 ** 3,
        maxPackBytes: 10 * 1024 ** 3,
        hostConcurrency: 8,
        hostRequestsPerSecond: undefined,
        authorities: undefined,
        leaseSeconds: 3660,
        onGoneCommit: "baseline",
        onPush: false,
        binary: false,
        scheduledTime: now,
      },
    });
  });

  test("credentials: the first colon parts the two, and the rest is the password's", () => {
    const [repository] = read({ GIT_HTTP_CREDENTIALS: "user:pass:word@/%ü" }).repositories;
    expect(repository?.credentials).toEqual({ user: "user", password: "pass:word@/%ü" });
    const GIT_HTTP_CREDENTIALS = "";
    expect(read({ GIT_HTTP_CREDENTIALS }).repositories[0]?.credentials).toBeUndefined();
    const [named] = readMany([{ ...entry, gitHttpCredentials: "TOKEN" }], { TOKEN: "a:b" }).repositories;
    expect(named?.credentials).toEqual({ user: "a", password: "b" });
  });

  test.each([
    ["https://user@host.example/team/api.git", "https://host.example/team/api.git"],
    ["https://host.example/team/api/", "https://host.example/team/api"],
    ["http://127.0.0.1:8080/api.git", "http://127.0.0.1:8080/api.git"],
    ["http://localhost/api.git", "http://localhost/api.git"],
    ["http://[::1]:3000/api.git", "http://[::1]:3000/api.git"],
  ])("%s", (GIT_REPO, url) => {
    expect(read({ GIT_REPO }).repositories[0]?.location.url).toBe(url);
  });

  test.each(["main", "release/1.0", "feature/ü-1", "a@b"])("branch %s", (GIT_BRANCH) => {
    expect(read({ GIT_BRANCH }).repositories[0]?.branch).toBe(GIT_BRANCH);
  });

  test("the schedule's time in any zone", () => {
    const { scheduledTime } = read({ SCHEDULED_TIME: "2026-01-02T01:00:00+02:00" }).settings;
    expect(scheduledTime.toISOString()).toBe("2026-01-01T23:00:00.000Z");
  });
});

describe("what is refused", () => {
  test.each<[string, string | undefined, ...string[]]>([
    ["GIT_REPO", undefined, "is missing", "HTTPS clone URL"],
    ["GIT_REPO", "ssh://git@host.example/api.git", "SSH", "https://host.example/api.git"],
    ["GIT_REPO", "git@host.example:team/api.git", "SSH", "https://host.example/team/api.git"],
    ["PARAMETER_NAME", "arn:aws:ssm:eu-west-1:123456789012:parameter/a/b", "ARN", '"/a/b"'],
    ["GIT_REPO", "ext::sh -c whoami", "is not an https:// URL"],
    ["GIT_REPO", "file:///srv/api.git", "file://"],
    ["GIT_REPO", "/srv/api.git", "is not an https:// URL"],
    ["GIT_REPO", "git://host.example/api.git", "git://"],
    ["GIT_REPO", "https://", "is not a URL"],
    ["GIT_REPO", "https://host.example/a b.git", "is not a URL"],
    ["GIT_REPO", "https://host.example/api.git?token=secret", "query"],
    ["GIT_REPO", "http://host.example/api.git", "host.example", "use https://"],
    ["GIT_REPO", "http://127.0.0.1.evil.example/api.git", "evil.example", "use https://"],
    ["GIT_REPO", "http://localhost.evil.example/api.git", "evil.example", "use https://"],
    ["GIT_REPO", "https://user:secret@host.example/api.git", "password", "GIT_HTTP_CREDENTIALS"],
    ["PARAMETER_NAME", undefined, "is missing"],
    ["PARAMETER_NAME", "/cursor of api", '"/cursor of api"', "letters"],
    ["RESULTS_BUCKET", undefined, "is missing"],
    ["RESULTS_BUCKET", "/", "is missing"],
    ["RESULTS_BUCKET", "s3://bucket/api", '"s3://bucket/api"', "bucket/prefix"],
    ["RESULTS_BUCKET", "My_Bucket", '"My_Bucket"', "lower-case"],
    ["RESULTS_BUCKET", "bucket//api", '"bucket//api"', "prefix"],
    ["RESULTS_BUCKET", "bucket/../api", '"bucket/../api"', "prefix"],
    ["GIT_HTTP_CREDENTIALS", "secret", "user:password", "- for none"],
    ["GIT_HTTP_CREDENTIALS", "user:secret\n", "one line"],
    ["GIT_BRANCH", "refs..heads", '"refs..heads"'],
    ["GIT_BRANCH", "--upload-pack=id", "branch"],
    ["GIT_BRANCH", "a b", '"a b"'],
    ["GIT_BRANCH", "main.lock", '"main.lock"'],
    ["CONCURRENCY", "0", '"0"', "from 1 to 64"],
    ["CONCURRENCY", "many", '"many"', "from 1 to 64"],
    ["CONCURRENCY", "1.5", '"1.5"', "from 1 to 64"],
    ["CONCURRENCY", " ", '" "', "from 1 to 64"],
    ["REPOSITORY_TIMEOUT_SECONDS", "-1", '"-1"', "whole number", "leave it unset"],
    ["REPOSITORY_TIMEOUT_SECONDS", "1h", '"1h"', "whole number"],
    ["MAX_DIFF_BYTES", "10GB", '"10GB"', "whole number"],
    ["MAX_DIFF_BYTES", "1e20", '"1e20"', "whole number"],
    ["ON_GONE_COMMIT", "ignore", '"ignore"', "baseline or fail"],
    ["BINARY", "true", '"true"', "omit or include"],
    ["SCHEDULED_TIME", "yesterday", '"yesterday"', "ISO 8601"],
    ["SCHEDULED_TIME", "2026-13-01T00:00:00Z", "ISO 8601"],
  ])("%s %j", (name, value, ...words) => {
    const problems = problemsOf(() => read({ [name]: value }));
    expect(problems).toHaveLength(1);
    for (const word of [name, ...words]) expect(problems[0]).toContain(word);
    expect(problems[0]).not.toContain("secret");
  });

  test.each<[string, string, ...string[]]>([
    ["that are no JSON", "[{", "REPOSITORIES", "not JSON", "[{"],
    ["that are no list", "{}", "JSON array"],
    ["of which there is none", "[]", "at least one"],
    ["that are texts", '["https://host.example/a.git"]', "REPOSITORIES[0]"],
    ["with an unknown key", JSON.stringify([{ ...entry, branch: "main" }]), "REPOSITORIES[0]", "branch"],
    ["without a place", JSON.stringify([{ ...entry, resultsBucket: undefined }]), "resultsBucket"],
    ["with a number", JSON.stringify([{ ...entry, parameterName: 1 }]), "REPOSITORIES[0].parameterName"],
    [
      "with credentials nobody set",
      JSON.stringify([{ ...entry, gitHttpCredentials: "NOT_SET" }]),
      "NOT_SET",
      "not set",
    ],
    [
      "with an archive where the host has one",
      JSON.stringify([{ ...entry, collect: ["mirror"], refs: ["refs/archive/"], archiveRefs: true }]),
      "REPOSITORIES[0].archiveRefs",
      "remove one of the two",
    ],
    [
      "over ssh",
      JSON.stringify([{ ...entry, gitRepo: "ssh://h/a" }]),
      "REPOSITORIES[0].gitRepo",
      "https://h/a",
    ],
  ])("REPOSITORIES %s", (_, REPOSITORIES, ...words) => {
    const problems = problemsOf(() => readEnvironment({ REPOSITORIES }, now));
    expect(problems).toHaveLength(1);
    for (const word of words) expect(problems[0]).toContain(word);
  });

  test("one cursor or one place for two, however it is written", () => {
    const other = { ...entry, gitRepo: "https://host.example/other.git" };
    const elsewhere = { parameterName: "/elsewhere" };
    expect(problemsOf(() => readMany([entry, { ...other, resultsBucket: "elsewhere" }]))).toEqual([
      expect.stringMatching(/parameterName "\/git-diff\/api" twice/),
    ]);
    for (const resultsBucket of ["bucket/api", "bucket/api/"]) {
      const problems = problemsOf(() => readMany([entry, { ...other, ...elsewhere, resultsBucket }]));
      expect(problems).toEqual([expect.stringMatching(/resultsBucket "bucket\/api" twice/)]);
    }
  });

  test("REPOSITORIES beside the variables for one", () => {
    const problems = problemsOf(() => read(many(entry)));
    expect(problems.map((problem) => problem.split(" ")[0])).toEqual(Object.keys(good));
  });
});

describe("a run", () => {
  let testbed: Testbed;
  let small: Repository;
  beforeAll(async () => {
    testbed = await openTestbed();
    small = await testbed.repository("small");
  });
  afterAll(() => testbed.close());
  beforeEach(() => testbed.reset());

  test("reports all mistakes at once, and contacts nobody", async () => {
    const target = await testbed.target(small);
    const wrong = { GIT_REPO: "ssh://host/api", PARAMETER_NAME: "", RESULTS_BUCKET: "B", CONCURRENCY: "x" };
    const all: Record<string, string>[] = [
      wrong,
      { ...wrong, GIT_REPO: testbed.host.url("small"), SCHEDULED_TIME: "soon" },
      { REPOSITORIES: "nonsense" },
    ];
    for (const mistakes of all) {
      const ran = await target.run(mistakes);
      expect(ran).toMatchObject({ status: 2, stderr: "", left: [] });
      expect(ran.events).toHaveLength(1);
      expect(ran.events[0]).toMatchObject({ event: "failed", code: "configuration" });
      const problems = ran.events[0]?.problems.join("\n");
      for (const name of Object.keys(mistakes).filter((name) => !mistakes[name]?.startsWith("http")))
        expect(problems).toContain(name);
    }
    expect(testbed.host.requests).toEqual([]);
    expect(testbed.aws.calls).toEqual([]);
    await target.expectUntouched();
  });

  test("into a bucket that does not exist", async () => {
    for (const repository of [small, await testbed.repository("large", 12_000_000)]) {
      const target = await testbed.target(repository);
      const ran = await target.run({ RESULTS_BUCKET: "no-such-bucket/api" });
      await target.expectFailed(ran, "bucket-not-found", "no-such-bucket");
      expect(ran.events[0]?.remedy).toContain("RESULTS_BUCKET");
    }
  });

  test.each(["mian", "mai"])("of a branch that does not exist names those that do: %s", async (branch) => {
    const target = await testbed.target(small);
    const ran = await target.run({ GIT_BRANCH: branch });
    await target.expectFailed(
      ran,
      "branch-not-found",
      `"${branch}"`,
      `${target.environment.GIT_REPO}@${branch}`,
    );
    expect(ran.events[0]?.remedy).toContain("main");
  });

  test("of one branch among many", async () => {
    await small.git("branch", "release/1", "HEAD~1");
    const { environment, cursor } = await testbed.target(small, null);
    expect((await runWorker({ ...environment, GIT_BRANCH: "release/1" })).status).toBe(0);
    expect((await cursor())?.value).toBe(await small.git("rev-parse", "release/1"));
  });
});

test("a credential in the wrong variable is not shown", async () => {
  const misplaced = { ...entry, gitHttpCredentials: "x-access-token:ghp_secret" };
  for (const REPOSITORIES of [JSON.stringify([misplaced]), "ghp_secret"]) {
    const { stdout } = await runWorker({ REPOSITORIES });
    expect(stdout).toContain('"code":"configuration"');
    expect(stdout).not.toContain("ghp_secret");
  }
});

test("REPOSITORIES_FILE names a file with the same list, however long", async () => {
  const folder = await mkdtemp(join(tmpdir(), "list-"));
  const file = join(folder, "repositories.json");
  const entries = Array.from({ length: 2_000 }, (_, index) => ({
    gitRepo: `https://host.example/${index}.git`,
    parameterName: `/git-diff/${index}`,
    resultsBucket: `bucket/${index}`,
  }));
  await writeFile(file, JSON.stringify(entries));
  expect(readEnvironment({ REPOSITORIES_FILE: file }, now).repositories).toHaveLength(2_000);
  await writeFile(file, JSON.stringify([{ ...entry, gitRepo: "x" }]));
  expect(problemsOf(() => readEnvironment({ REPOSITORIES_FILE: file }, now))[0]).toStartWith(
    "REPOSITORIES_FILE[0].gitRepo ",
  );
  expect(problemsOf(() => readEnvironment({ REPOSITORIES_FILE: `${file}x` }, now))[0]).toContain("ENOENT");
  const both = { REPOSITORIES_FILE: file, REPOSITORIES: "[]" };
  expect(problemsOf(() => readEnvironment(both, now))[0]).toContain("both set");
  await rm(folder, { recursive: true });
});
