import { afterAll, beforeAll, beforeEach, expect, setDefaultTimeout, test } from "bun:test";
import { randomBytes } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { query } from "../../fixtures/duckdb.ts";
import { openTestbed, type Target, type Testbed } from "../../fixtures/testbed.ts";

setDefaultTimeout(60_000);

let testbed: Testbed;
let folder: string;
beforeAll(async () => {
  testbed = await openTestbed();
  folder = await mkdtemp(join(tmpdir(), "tables-in-s3-"));
});
afterAll(async () => {
  await testbed.close();
  await rm(folder, { recursive: true, force: true });
});
beforeEach(() => testbed.reset());

const key = "a key of more than sixteen characters";
const tables = ({ bucket }: Target) => ({
  RESULTS_BUCKET: `${bucket}/api`,
  TABLES_BUCKET: `${bucket}/tables`,
  COLLECTION: "daily",
  PEOPLE_KEY: key,
});

/** Has S3 refuse every object whose path contains this. */
const deny = (path: string) =>
  testbed.aws.fail({
    ...{ operation: "PutObject", path, nth: "all" },
    how: { status: 403, code: "AccessDenied" },
  });

/** Asks DuckDB about the tables in a bucket. */
async function ask({ bucket }: Target, sql: string) {
  const here = join(folder, bucket);
  for (const name of await testbed.aws.objects(bucket, "tables/")) {
    const path = join(here, name);
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, await testbed.aws.body(bucket, name));
  }
  return query(join(here, "tables"), sql);
}

test("the worker adds its steps to tables in the bucket, and an unchanged repository costs them one request", async () => {
  const repository = await testbed.repository("tables");
  const target = await testbed.target(repository, null);
  expect(await target.run(tables(target))).toMatchObject({ status: 0, stderr: "" });
  await repository.write("src/new.ts", "one\ntwo\n");
  await repository.write("vendor/own.c", "ours\n");
  await repository.write(".gitattributes", "*.ts linguist-generated\nvendor/own.c -linguist-vendored\n");
  const to = await repository.commit("Add\n\nCo-authored-by: Ann <ann@acme.com>");
  const later = { ...tables(target), SCHEDULED_TIME: "2026-02-03T00:00:00Z" };
  expect(await target.run(later)).toMatchObject({ status: 0, stderr: "" });

  const steps = "SELECT repository, month, number, diff_key FROM TABLE(steps) ORDER BY number";
  expect(await ask(target, steps)).toMatchObject([
    { repository: "api", month: "2026-01", number: "1" },
    {
      repository: "api",
      month: "2026-02",
      number: "2",
      diff_key: expect.stringMatching(/^api\/2026-02-03.*\.diff$/),
    },
  ]);
  const marks =
    "SELECT path, is_generated, is_vendored FROM TABLE(files) WHERE number = 2 AND path LIKE '%/%' ORDER BY path";
  expect(await ask(target, marks)).toEqual([
    { path: "src/new.ts", is_generated: true, is_vendored: false },
    { path: "vendor/own.c", is_generated: false, is_vendored: false },
  ]);
  const files = "SELECT path, status, lines_added, to_commit FROM TABLE(files) WHERE path = 'src/new.ts'";
  expect(await ask(target, files)).toEqual([
    { path: "src/new.ts", status: "A", lines_added: 2, to_commit: to },
  ]);
  const commits = await ask(target, "SELECT commit_id, subject, author_name, trailers FROM TABLE(commits)");
  expect(commits).toEqual([
    {
      commit_id: to,
      subject: "Add",
      author_name: null,
      trailers: expect.stringMatching(/^\[\["Co-authored-by","<[0-9a-f]{32}>"\]\]$/),
    },
  ]);

  // The report is one of both months.
  const report = await testbed.aws.body(target.bucket, "tables/report/daily.html");
  expect(Buffer.from(report).toString().includes("<title>What changed, 2 Feb 2026</title>")).toBe(true);

  // A step costs one request more, and nothing is read back.
  await repository.write("src/new.ts", "one\nthree\n");
  await repository.commit();
  testbed.aws.calls.length = 0;
  const next = { ...later, SCHEDULED_TIME: "2026-02-04T00:00:00Z" };
  expect(await target.run(next)).toMatchObject({ status: 0, stderr: "" });
  const ofRows = testbed.aws.calls.filter(({ path }) => path.includes("/_rows/"));
  expect(ofRows.map(({ operation }) => operation)).toEqual(["PutObject"]);
  const afterCursor = testbed.aws.calls.slice(
    testbed.aws.calls.findIndex(({ operation }) => operation === "PutParameter"),
  );
  expect(afterCursor.filter(({ path }) => path.includes("/api/"))).toEqual([]);
  // All that tables and report cost a run: one more for each further month of the report.
  const ofTables = testbed.aws.calls.filter(({ path }) => path !== "/" && !path.includes("/api/"));
  expect(ofTables).toHaveLength(17);

  testbed.aws.calls.length = 0;
  expect((await target.run(later)).events[0]).toMatchObject({ event: "unchanged" });
  const requests = testbed.aws.calls.map(({ path }) => path).filter((path) => path.includes("/tables/"));
  expect(requests).toHaveLength(1);
  // The verification agrees.
  const verified = await target.run({ ...later }, ["verify", "--tables"]);
  expect(verified.events.find(({ tables }) => tables === "daily")).toMatchObject({
    holds: true,
    steps: 3,
    notes: 0,
  });
});

test("a repository that fails keeps no other out of the tables", async () => {
  const [good, bad] = [await testbed.repository("good"), await testbed.repository("bad")];
  const target = await testbed.target(good, null);
  const entry = (repository: typeof good, name: string) => ({
    gitRepo: testbed.host.url(repository.path.split("/").at(-1) ?? ""),
    parameterName: `/${target.bucket}/${name}`,
    resultsBucket: `${target.bucket}/${name}`,
  });
  const many = {
    ...tables(target),
    GIT_REPO: "",
    PARAMETER_NAME: "",
    RESULTS_BUCKET: "",
    REPOSITORIES: JSON.stringify([entry(good, "good"), entry(bad, "bad")]),
  };
  expect(await target.run(many)).toMatchObject({ status: 0 });
  for (const repository of [good, bad]) {
    await repository.write("new", "x\n");
    await repository.commit();
  }
  // Its chain has been read when its diff is denied.
  deny("/bad/");
  const { status, events } = await target.run({ ...many, SCHEDULED_TIME: "2026-02-03T00:00:00Z" });
  testbed.aws.clearFaults();
  expect(status).toBe(1);
  expect(events.filter(({ event }) => event === "failed")).toMatchObject([
    { code: "store-denied", repository: expect.stringContaining("bad") },
  ]);
  expect(
    await ask(
      target,
      "SELECT repository, count(*)::int AS steps FROM TABLE(steps) GROUP BY ALL ORDER BY ALL",
    ),
  ).toEqual([
    { repository: "bad", steps: 1 },
    { repository: "good", steps: 2 },
  ]);
});

test("people are plain, or left out, where that is configured", async () => {
  const repository = await testbed.repository("people");
  await repository.write(".mailmap", "Proper Name <proper@acme.com> <author@example.com>\n");
  await repository.write("more", "x\n");
  await repository.commit("Ask a@b.example\n\nReviewed-by: Bob <bob@acme.com>");
  const rows = async (privacy: string) => {
    const target = await testbed.target(repository);
    const environment = { ...tables(target), PEOPLE: privacy, ...(privacy !== "hash" && { PEOPLE_KEY: "" }) };
    expect(await target.run(environment)).toMatchObject({ status: 0, stderr: "" });
    const [row] = await ask(
      target,
      "SELECT author_id, author_name, author_email, subject, message, trailers FROM TABLE(commits)",
    );
    return row;
  };
  expect(await rows("plain")).toMatchObject({
    author_id: expect.stringContaining("@"),
    author_email: expect.stringContaining("@"),
    subject: "Ask a@b.example",
    message: expect.stringContaining("Reviewed-by"),
    trailers: '[["Reviewed-by","Bob <bob@acme.com>"]]',
  });
  expect(await rows("omit")).toEqual({
    author_id: null,
    author_name: null,
    author_email: null,
    subject: null,
    message: null,
    trailers: '[["Reviewed-by","<…>"]]',
  });
  const hashed = JSON.stringify(await rows("hash"));
  expect(hashed).not.toContain("@");
  expect(hashed).not.toContain("Bob");
});

test("the .mailmap is fetched for tables alone", async () => {
  const repository = await testbed.repository("mapped");
  await repository.write(".mailmap", `# ${randomBytes(50_000).toString("hex")}\n`);
  await repository.commit();
  const fetched = async (environment: (target: Target) => Record<string, string>) => {
    const target = await testbed.target(repository, await repository.head());
    await repository.write("new", target.bucket);
    await repository.commit();
    return (await target.run(environment(target))).events[0]?.packBytes;
  };
  expect(await fetched(() => ({}))).toBeLessThan(10_000);
  expect(await fetched(tables)).toBeWithin(50_000, 70_000);
});

test("without a key for the hashes, or with settings that are none, nothing starts", async () => {
  const target = await testbed.target(await testbed.repository("keyless"));
  const problems = async (environment: Record<string, string>) => {
    const { status, events } = await target.run({ ...tables(target), ...environment });
    expect(status).toBe(2);
    return events[0]?.problems;
  };
  expect(await problems({ PEOPLE_KEY: "short" })).toEqual([
    expect.stringContaining("PEOPLE_KEY must be a secret of at least 16"),
  ]);
  const wrong = { TABLES_BUCKET: "bucket", COLLECTION: "a/b", PEOPLE: "initials", TABLES_HUNKS: "yes" };
  expect(await problems(wrong)).toEqual([
    expect.stringContaining('TABLES_BUCKET is "bucket"'),
    expect.stringContaining('PEOPLE is "initials"'),
    expect.stringContaining('TABLES_HUNKS is "yes"'),
    expect.stringContaining('COLLECTION is "a/b"'),
  ]);
});

test("a report that cannot be written fails no run, and the next run makes it", async () => {
  const repository = await testbed.repository("reported");
  const target = await testbed.target(repository);
  await repository.write("new", "x\n");
  await repository.commit();
  deny("/tables/report/");
  const { status, stderr, events } = await target.run(tables(target));
  testbed.aws.clearFaults();
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  expect(events.map(({ event }) => event)).toEqual(["collected", "failed", "summary"]);
  const address = `s3://${target.bucket}/tables/report/daily.html`;
  expect(events[1]).toMatchObject({ report: address, code: "store-denied" });
  expect(await ask(target, "SELECT count(*)::int AS steps FROM TABLE(steps)")).toEqual([{ steps: 2 }]);
  const reports = () => testbed.aws.objects(target.bucket, "tables/report/");
  expect(await reports()).toEqual([]);

  // Nothing new is no reason to make it.
  expect(await target.run(tables(target))).toMatchObject({ status: 0, stderr: "" });
  expect(await reports()).toEqual([]);
  await repository.write("new", "y\n");
  await repository.commit();
  expect(await target.run(tables(target))).toMatchObject({ status: 0, stderr: "" });
  expect(await reports()).toEqual(["tables/report/daily.html"]);
});

test("what cannot be added to the tables is a failure, and the diff is stored nevertheless", async () => {
  const target = await testbed.target(await testbed.repository("denied"));
  deny("/tables/");
  const { status, events } = await target.run(tables(target));
  expect(status).toBe(1);
  expect(events.map(({ event }) => event)).toEqual(["collected", "failed", "summary"]);
  expect(events[1]).toMatchObject({ tables: `s3://${target.bucket}/tables/`, code: "store-denied" });
  testbed.aws.clearFaults();
  // The next run adds what is missing.
  expect(await target.run(tables(target))).toMatchObject({ status: 0 });
  expect(await ask(target, "SELECT count(*)::int AS steps FROM TABLE(steps)")).toEqual([{ steps: 2 }]);
});
