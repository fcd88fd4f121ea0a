import { AthenaWorkgroup } from "@cdktf/provider-aws/lib/athena-workgroup";
import { GlueCatalogDatabase } from "@cdktf/provider-aws/lib/glue-catalog-database";
import { GlueCatalogTable } from "@cdktf/provider-aws/lib/glue-catalog-table";
import { Construct } from "constructs";
import { rowOf } from "../image/tables/describe.ts";
import { type Column, type ColumnType, tableNames, tables } from "../image/tables/schema.ts";
import { PeopleKey } from "./people-key.ts";
import { athenaPrefix, type Results, tablesPlace } from "./results.ts";
import type { TablesSettings } from "./tables-settings.ts";

export interface TablesProps {
  /** The stack's name. */
  readonly name: string;
  readonly results: Results;
  readonly settings: TablesSettings;
  /** ARN of the KMS key that encrypts results and secrets. @default - AWS's own keys */
  readonly kmsKey?: string;
}

/** A query that reads more costs more than 5 cents, and has most likely forgotten to name a month. */
const MOST_BYTES = 10 * 1024 ** 3;

/** What Athena needs to query the tables, which workers write. */
export class Tables extends Construct {
  readonly settings: TablesSettings;
  /** The secret of people's hashes. Undefined where nobody is hashed. */
  readonly peopleKey: PeopleKey | undefined;
  /** Its name. Athena knows letters, digits and underscores alone. */
  readonly database: string;

  constructor(scope: Construct, id: string, props: TablesProps) {
    super(scope, id);
    const { name, results, settings, kmsKey } = props;
    this.settings = settings;
    this.peopleKey = settings.people === "hash" ? new PeopleKey(this, "people", { name, kmsKey }) : undefined;
    this.database = name.replaceAll("-", "_");
    const database = new GlueCatalogDatabase(this, "Default", {
      name: this.database,
      description: "What changed in git repositories, by git-diff-to-s3",
    });
    for (const table of tableNames(settings.hunks)) {
      const location = `s3://${tablesPlace(results)}/v1/${table}`;
      new GlueCatalogTable(this, table, {
        name: table,
        databaseName: database.name,
        description: `A row is ${rowOf[table]}.`,
        tableType: "EXTERNAL_TABLE",
        parameters: { classification: "parquet", ...projection(`${location}/month=$\${month}/`) },
        partitionKeys: [{ name: "month", type: "string", comment: "the month of day, such as 2026-01" }],
        storageDescriptor: {
          location: `${location}/`,
          inputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
          outputFormat: "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
          serDeInfo: { serializationLibrary: "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe" },
          columns: Object.entries(tables[table]).map(([name, { type, is }]: [string, Column]) => ({
            name,
            type: glueTypes[type],
            comment: is,
          })),
        },
      });
    }
    new AthenaWorkgroup(this, "workgroup", {
      name,
      description: "Queries of what changed in git repositories",
      configuration: {
        enforceWorkgroupConfiguration: true,
        bytesScannedCutoffPerQuery: MOST_BYTES,
        resultConfiguration: {
          outputLocation: `s3://${results.name}/${results.prefix}${athenaPrefix}`,
          encryptionConfiguration: kmsKey
            ? { encryptionOption: "SSE_KMS", kmsKeyArn: kmsKey }
            : { encryptionOption: "SSE_S3" },
        },
      },
      // Its history of queries does not keep it.
      forceDestroy: true,
    });
  }
}

/** The types of columns as Athena names them: https://docs.aws.amazon.com/athena/latest/ug/data-types.html */
const glueTypes: Readonly<Record<ColumnType, string>> = {
  string: "string",
  strings: "array<string>",
  int: "int",
  bigint: "bigint",
  boolean: "boolean",
  date: "date",
  timestamp: "timestamp",
};

/**
 * Lets Athena compute which months there are, so that nothing has to add partitions.
 * https://docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
 */
const projection = (template: string) => ({
  "projection.enabled": "true",
  "projection.month.type": "date",
  "projection.month.format": "yyyy-MM",
  // Before the first commit of most repositories that are in git.
  "projection.month.range": "2005-01,NOW",
  "projection.month.interval": "1",
  "projection.month.interval.unit": "MONTHS",
  "storage.location.template": template,
});
