import type { ITerraformDependable } from "cdktf";
import { drillName } from "../image/verify/next-part.ts";
import type { Account } from "./account.ts";
import { policyDocument, type Statement } from "./iam.ts";
import { hasDiffs, hasMirror, type Repository } from "./repository.ts";

/** Where results are stored: a bucket of the stack, or one that exists already. */
export interface Results {
  readonly name: string;
  /** Stands before every key: empty, or ends with `/`. */
  readonly prefix: string;
  /** Whether others store things in it too. */
  readonly isShared: boolean;
  /** For how many days nobody can delete an object, beginning with its last drill. @default - as long as nothing is locked */
  readonly lockDays: number | undefined;
  /** What has to be there before a result is stored. */
  readonly rules: readonly ITerraformDependable[];
}

/** Below the results' prefix: the results of queries. No repository's name begins so. */
export const athenaPrefix = "athena/";
/** Below it too: the tables. */
export const tablesPrefix = "tables/";

/** The first parts of names that no repository may have. */
export const reservedNames = [tablesPrefix, athenaPrefix].map((prefix) => prefix.replace("/", ""));

/** Returns where the tables are, as `bucket/prefix`. */
export const tablesPlace = ({ name, prefix }: Pick<Results, "name" | "prefix">) =>
  `${name}/${prefix}${tablesPrefix.replace("/", "")}`;

/** Returns a bucket that exists already, of this or another account, given as `bucket` or `bucket/prefix`. */
export function existingBucket(place: string, lockDays?: number): Results {
  const [name = "", ...parts] = place.split("/");
  return { name, prefix: parts.map((part) => `${part}/`).join(""), isShared: true, lockDays, rules: [] };
}

/**
 * Returns what a worker may do with the results: store, list, and read the step records of its diffs and all of its
 * mirrors. It cannot delete anything.
 * @param tables the objects of the tables that it adds to, as `tableObjects` returns them
 */
export function resultStatements(
  { partition }: Account,
  results: Results,
  repositories: readonly Repository[],
  tables: readonly string[],
): Statement[] {
  const { name, prefix, isShared } = results;
  // Composed instead of read from the bucket: `packPolicies` needs to know the length.
  const arn = `arn:${partition}:s3:::${name}`;
  const ofTables = tables.map((object) => `${arn}/${prefix}${object}`);
  // Their rows too, in `_rows/`. One ARN covers both, as a role can hardly list two for each of 300 repositories.
  const records = tables.length > 0 ? "_*" : "_steps/*";
  return [
    {
      Sid: "PutResults",
      Effect: "Allow",
      Action: ["s3:PutObject", "s3:AbortMultipartUpload"],
      Resource: (isShared ? repositories.flatMap(objectsOf) : objectsOfAny(repositories, tables.length > 0))
        .map((object) => `${arn}/${prefix}${object}`)
        .concat(ofTables),
    },
    {
      Sid: "ReadStepRecords",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: repositories
        .filter(hasDiffs)
        .map((repository) => `${arn}/${prefix}${repository.name}/${records}`),
    },
    { Sid: "ReadTables", Effect: "Allow", Action: ["s3:GetObject"], Resource: ofTables },
    {
      Sid: "ReadMirrors",
      Effect: "Allow",
      Action: ["s3:GetObject"],
      Resource: repositories
        .filter(hasMirror)
        .map((repository) => `${arn}/${prefix}${repository.name}.git/*`),
    },
    // Without it, S3 answers 403 instead of 404 for a missing step record.
    { Sid: "ListResults", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [arn] },
  ];
}

/** Returns what is stored of a repository. */
const objectsOf = (repository: Repository): string[] => [
  ...(hasDiffs(repository) ? [`${repository.name}/*`] : []),
  ...(hasMirror(repository) ? [`${repository.name}.git/*`] : []),
];

/** Returns the same of every repository in a bucket: a role can hardly list each of them twice. */
const objectsOfAny = (repositories: readonly Repository[], hasRows: boolean): string[] => [
  ...(repositories.some(hasDiffs) ? ["*.diff", "*/_steps/*", ...(hasRows ? ["*/_rows/*"] : [])] : []),
  ...(repositories.some(hasMirror) ? ["*.git/*"] : []),
];

/** The objects of a collection's tables: image/tables/ and image/report/ name them. */
export const tableObjects = (collection: string): string[] =>
  [
    `v1/*/month=*/${collection}.parquet`,
    `v1/_progress/${collection}.json`,
    `v1/_summary/month=*/${collection}.json`,
    `report/${collection}.html`,
    "v1/README.md",
    "v1/contract.odcs.yaml",
  ].map((name) => `${tablesPrefix}${name}`);

/**
 * Returns what a drill may do with the mirrors: read them, remember which part it has verified, and extend locks. It cannot
 * change what is mirrored.
 */
export function drillStatements(
  { partition }: Account,
  { name, prefix, lockDays }: Results,
  repositories: readonly Repository[],
): Statement[] {
  const arn = `arn:${partition}:s3:::${name}`;
  const mirrors = repositories.map((repository) => `${arn}/${prefix}${repository.name}.git`);
  const objects = mirrors.map((mirror) => `${mirror}/*`);
  return [
    { Sid: "VerifyMirrors", Effect: "Allow", Action: ["s3:GetObject"], Resource: objects },
    {
      Sid: "RememberParts",
      Effect: "Allow",
      Action: ["s3:PutObject"],
      Resource: mirrors.map((mirror) => `${mirror}/${drillName}`),
    },
    {
      Sid: "ExtendLocks",
      Effect: "Allow",
      Action: ["s3:GetObjectRetention", "s3:PutObjectRetention"],
      Resource: lockDays === undefined ? [] : objects,
    },
    { Sid: "ListMirrors", Effect: "Allow", Action: ["s3:ListBucket"], Resource: [arn] },
  ];
}

/** What S3 accepts: https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-policies.html */
export const bucketPolicyBytes = 20_480;

/** Returns what the owner of a bucket in another account adds to its policy, so that these roles can do their work. */
export function bucketPolicy(
  account: Account,
  results: Results,
  repositories: readonly Repository[],
  roles: { readonly collect: readonly string[]; readonly drill: readonly string[] },
  tables: boolean,
): string {
  const collect = (["diffs", "mirror"] as const).filter((kind) =>
    repositories.some(kind === "mirror" ? hasMirror : hasDiffs),
  );
  const everything: Repository[] = [{ name: "*", collect }];
  const statements = [
    ...grant(
      roles.collect,
      resultStatements(
        account,
        { ...results, isShared: false },
        everything,
        tables ? [`${tablesPrefix}*`] : [],
      ),
    ),
    ...grant(roles.drill, drillStatements(account, results, everything)),
  ];
  return policyDocument(statements);
}

function grant(roleArns: readonly string[], statements: readonly Statement[]): Statement[] {
  if (roleArns.length === 0) return [];
  return statements.flatMap((statement) =>
    statement.Resource.length > 0 ? [{ ...statement, Principal: { AWS: roleArns } }] : [],
  );
}
