import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { type Columns, type TableName, tables } from "../../image/tables/schema.ts";
import type { Statement } from "../../modules/iam.ts";
import type { CollectedRepository } from "../fixtures/collected-repository.ts";
import { parseOne } from "../fixtures/configuration.ts";
import { collectEveryChange } from "../fixtures/every-change.ts";
import { denialOf } from "../fixtures/iam-policy.ts";
import { ACCOUNT, stackRoles } from "../fixtures/stack-role.ts";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

setDefaultTimeout(60_000);

const mirror = { name: "mirror", url: "https://github.com/acme/m.git", collect: ["mirror"] };
const bucket = `git-diff-results-${ref("data.aws_caller_identity.account.account_id")}`;
const template = new Template({ ...SMALLEST, tables: { hunks: true } });
const names = Object.keys(tables) as TableName[];
const table = (name: TableName) =>
  template.get(`aws_glue_catalog_table.tables_${name}`) as {
    parameters: Record<string, string>;
    partition_keys: { name: string; type: string }[];
    storage_descriptor: { location: string; columns: { name: string; type: string; comment: string }[] };
  };

describe("the tables in Athena", () => {
  test.each(names)("%s has the columns of the schema, with descriptions that Glue accepts", (name) => {
    const columns: Columns = tables[name];
    const found = table(name).storage_descriptor.columns;
    expect(found.map(({ name, comment }) => [name, comment])).toEqual(
      Object.entries(columns).map(([name, { is }]) => [name, is]),
    );
    // https://docs.aws.amazon.com/glue/latest/webapi/API_Column.html
    for (const { comment } of found) expect(comment.length).toBeLessThanOrEqual(255);
    const types = new Set(found.map(({ type }) => type));
    expect(
      types.isSubsetOf(new Set(["string", "array<string>", "int", "bigint", "boolean", "date", "timestamp"])),
    ).toBe(true);
  });

  test("that of hunks is there only where it is asked for", () => {
    const found = new Template(SMALLEST).addresses.filter((address) =>
      address.includes("glue_catalog_table"),
    );
    expect(found).toEqual(
      names
        .filter((name) => name !== "hunks")
        .map((name) => `aws_glue_catalog_table.tables_${name}`)
        .sort(),
    );
  });

  test("are in a database that Athena can name, and in a workgroup that limits what a query reads", () => {
    const named = new Template({
      ...SMALLEST,
      name: "git-diff-2",
      kmsKey: "arn:aws:kms:eu-west-1:123456789012:key/1234",
    });
    expect(named.get("aws_glue_catalog_database.tables").name).toBe("git_diff_2");
    expect(named.get("aws_athena_workgroup.tables_workgroup")).toMatchObject({
      name: "git-diff-2",
      force_destroy: true,
      configuration: {
        enforce_workgroup_configuration: true,
        bytes_scanned_cutoff_per_query: 10_737_418_240,
        result_configuration: {
          output_location: `s3://${bucket.replace("git-diff", "git-diff-2")}/athena/`,
          encryption_configuration: {
            encryption_option: "SSE_KMS",
            kms_key_arn: "arn:aws:kms:eu-west-1:123456789012:key/1234",
          },
        },
      },
    });
    expect(template.get("aws_athena_workgroup.tables_workgroup")).toMatchObject({
      configuration: { result_configuration: { encryption_configuration: { encryption_option: "SSE_S3" } } },
    });
  });

  test("the results of queries expire after a week, and tables with the diffs", () => {
    const rules = (gitDiff: object) => {
      const found = new Template({ ...SMALLEST, ...gitDiff });
      const { rule } = found.get("aws_s3_bucket_lifecycle_configuration.results_lifecycle") as {
        rule: { filter: [{ prefix?: string }]; expiration: [object] }[];
      };
      return rule.map(({ filter: [{ prefix }], expiration: [expiration] }) => [prefix, expiration]);
    };
    expect(rules({ resultRetentionDays: 90 })).toEqual([
      [undefined, { days: 90 }],
      ["athena/", { days: 7 }],
    ]);
    expect(rules({ resultRetentionDays: 90, repositories: [...SMALLEST.repositories, mirror] })).toEqual([
      [undefined, { expired_object_delete_marker: true }],
      ["athena/", { days: 7 }],
      ["api/", { days: 90 }],
      ["tables/", { days: 90 }],
    ]);
  });
});

test("without tables, or without diffs, there is nothing of them", () => {
  for (const without of [{ tables: false }, { repositories: [mirror] }]) {
    const found = new Template({ ...SMALLEST, ...without });
    expect(found.addresses.filter((address) => /glue|athena|people/.test(address))).toEqual([]);
    expect(Object.keys(found.json.output).filter((name) => /athena|people/.test(name))).toEqual([]);
    expect(JSON.stringify(found.json)).not.toMatch(/TABLES_BUCKET|PEOPLE|"ephemeral"|tables\/v1|athena/);
  }
});

describe("the worker", () => {
  const variables = (found: Template, collection?: string) =>
    Object.fromEntries(found.container(collection).environment.map(({ name, value }) => [name, value]));
  const secrets = (found: Template, collection?: string) =>
    (found.container(collection).secrets as { name: string }[]).map(({ name }) => name);

  test("receives where its tables are, and how people appear in them", () => {
    expect(variables(template)).toMatchObject({
      ...{ TABLES_BUCKET: `${bucket}/tables`, COLLECTION: "all", TABLES_HUNKS: "true" },
    });
    expect(secrets(template)).toEqual(["PEOPLE_KEY"]);
    const plain = new Template({ ...SMALLEST, bucket: "acme/git", tables: { people: "plain" } });
    expect(variables(plain)).toMatchObject({ TABLES_BUCKET: "acme/git/tables", PEOPLE: "plain" });
    expect(variables(plain)).not.toHaveProperty("TABLES_HUNKS");
    expect(secrets(plain)).toEqual([]);
    expect(plain.addresses.filter((address) => address.includes("people"))).toEqual([]);
  });

  test("of a collection without diffs, and a drill, are told nothing of them", () => {
    const collections = [
      { name: "diffs", repositories: SMALLEST.repositories },
      { name: "mirrors", repositories: [mirror], drill: { schedule: "rate(1 day)" } },
    ];
    const found = new Template({ ...SMALLEST, repositories: undefined, collections });
    expect(variables(found, "diffs")).toHaveProperty("TABLES_BUCKET");
    for (const name of ["mirrors", "mirrors-drill"]) {
      expect(variables(found, name)).not.toHaveProperty("TABLES_BUCKET");
      expect(secrets(found, name)).toEqual([]);
    }
  });

  test("changes neither the tables of another collection nor what was queried", () => {
    const role = stackRoles(template)["task-all_worker"];
    const may = (action: string, name: string) => {
      const resource = `arn:aws:s3:::git-diff-results-${ACCOUNT}/${name}`;
      return denialOf({}, { action, resource }, { identity: role?.statements ?? [] }) === undefined;
    };
    for (const action of ["s3:PutObject", "s3:GetObject"]) {
      expect(may(action, "tables/v1/files/month=2026-01/all.parquet")).toBe(true);
      expect(may(action, "tables/v1/files/month=2026-01/other.parquet")).toBe(false);
      expect(may(action, "tables/report/other.html")).toBe(false);
      expect(may(action, "athena/0123.csv")).toBe(false);
    }
  });

  test("reads and writes its own collection's tables in a bucket that others use too", () => {
    const collections = ["ours", "other"].map((name) => ({
      name,
      repositories: [{ name, url: `https://github.com/acme/${name}.git` }],
    }));
    const found = new Template({ ...SMALLEST, repositories: undefined, collections, bucket: "acme/git" });
    const of = (sid: string) =>
      (found.statements("aws_iam_policy.task-ours_worker_1") as Statement[])
        .filter(({ Sid }) => Sid === sid)
        .flatMap(({ Resource }) => Resource.map((arn) => arn.replace(/^.*:::/, "")));
    const names = [
      ...[
        "v1/*/month=*/ours.parquet",
        "v1/_progress/ours.json",
        "v1/_summary/month=*/ours.json",
        "report/ours.html",
      ],
      ...["v1/README.md", "v1/contract.odcs.yaml"],
    ];
    const own = names.map((name) => `acme/git/tables/${name}`);
    expect(of("ReadTables")).toEqual(own);
    expect(of("PutResults")).toEqual(["acme/git/ours/*", ...own]);
    expect(of("ReadStepRecords")).toEqual(["acme/git/ours/_*"]);
  });
});

test.each([
  [
    "tables",
    'gitDiff.repositories[0].name = "tables" would store its results among those of the tables, in "tables/"; use another name',
  ],
  [
    "athena/api",
    'gitDiff.repositories[0].name = "athena/api" would store its results among those of the tables, in "athena/"; use another name',
  ],
])("no repository is named %s", (name, message) => {
  expect(() => parseOne({ ...SMALLEST, repositories: [{ ...SMALLEST.repositories[0], name }] })).toThrow(
    message,
  );
});

test.each([
  [
    { people: "initials" },
    'gitDiff.tables.people = "initials" is none of "hash", "plain" and "omit"; use one of these',
  ],
  [{ poeple: "hash" }, 'gitDiff.tables.poeple (not shown) is not a known key; write "people"'],
  [{ hunks: "yes" }, 'gitDiff.tables.hunks = "yes" is not true or false; use true for a table of hunks'],
  ["no", 'gitDiff.tables = "no" is not an object; write { } around people, hunks'],
])("tables %j is a mistake that is explained", (given, message) => {
  expect(() => parseOne({ ...SMALLEST, tables: given })).toThrow(message);
});

test.each([
  ["eu-west-1", "https://eu-west-1.console.aws.amazon.com/athena/home?region=eu-west-1#/query-editor"],
  ["cn-north-1", "https://cn-north-1.console.amazonaws.cn/athena/home?region=cn-north-1#/query-editor"],
  [
    "us-gov-west-1",
    "https://us-gov-west-1.console.amazonaws-us-gov.com/athena/home?region=us-gov-west-1#/query-editor",
  ],
])("the editor of queries in %s", (region, url) => {
  expect(new Template({ ...SMALLEST, region }).json.output.athena_console?.value).toBe(url);
});

describe("with tables of the real worker", () => {
  let collected: CollectedRepository;
  beforeAll(async () => {
    collected = await collectEveryChange((run) => ({ SCHEDULED_TIME: `2026-01-0${run + 1}T12:00:00Z` }), {
      tables: true,
    });
  });
  afterAll(() => collected?.[Symbol.asyncDispose]());

  test("each place that Athena computes for a month is one where a file is", async () => {
    for (const name of names.filter((name) => name !== "hunks")) {
      const { parameters, storage_descriptor } = table(name);
      const place = parameters["storage.location.template"]?.replace("$${month}", "2026-01") ?? "";
      expect(place).toBe(`${storage_descriptor.location}month=2026-01/`);
      const below = place.replace(`s3://${bucket}/`, "");
      const files = await Array.fromAsync(
        new Bun.Glob("*.parquet").scan(join(collected.folder, "git-diffs", below)),
      );
      expect(files).toEqual(["local.parquet"]);
    }
    expect(table("files").parameters).toMatchObject({
      "projection.month.type": "date",
      "projection.month.format": "yyyy-MM",
      "projection.month.range": "2005-01,NOW",
      "projection.month.interval.unit": "MONTHS",
    });
  });

  test("each query of the outputs has an answer", async () => {
    const connection = await (await DuckDBInstance.create()).connect();
    await connection.run("CREATE SCHEMA git_diff");
    for (const name of ["steps", "commits", "files"]) {
      const files = join(collected.folder, "git-diffs/tables/v1", name, "*/*.parquet");
      await connection.run(
        `CREATE VIEW git_diff.${name} AS FROM read_parquet('${files}', hive_partitioning = true, hive_types = {month: VARCHAR})`,
      );
    }
    const queries = template.json.output.athena_queries?.value as Record<string, string>;
    const rows: Record<string, number> = {};
    for (const [name, sql] of Object.entries(queries)) {
      const here = sql.replaceAll("current_date", "DATE '2026-01-31'");
      rows[name] = (await connection.runAndReadAll(here)).currentRowCount;
    }
    // Three changes, their files, and nothing was rewritten.
    expect(rows).toEqual({ biggest_days_of_a_year: 3, files_of_this_month: 20, rewritten_history: 0 });
    connection.closeSync();
  });
});
