import { expect, test } from "bun:test";
import { packPolicies, policyDocument, type Statement } from "../../modules/iam.ts";
import { SMALLEST, Template } from "../fixtures/template.ts";

const statement = (Sid: string, count: number): Statement => ({
  Sid,
  Effect: "Allow",
  Action: ["ssm:GetParameter"],
  Resource: Array.from(
    { length: count },
    (_, index) => `arn:aws:ssm:eu-west-1:123456789012:parameter/${Sid}/${index}`,
  ),
});

test("statements that fit into one policy stay together and unchanged", () => {
  const statements = [statement("one", 3), statement("two", 2)];
  expect(packPolicies(statements)).toEqual([statements]);
});

test("a statement without resources is omitted", () => {
  expect(packPolicies([statement("none", 0)])).toEqual([]);
});

test("many resources are distributed over valid policies, each exactly once", () => {
  const statements = [statement("one", 250), statement("two", 50)];
  const policies = packPolicies(statements);
  expect(policies.length).toBeGreaterThan(1);
  for (const policy of policies) expect(policyDocument(policy).length).toBeLessThanOrEqual(6144);
  const all = policies.flat().flatMap(({ Resource }) => Resource);
  expect(all).toEqual(statements.flatMap(({ Resource }) => Resource));
  for (const { Sid, Resource } of policies.flat()) {
    for (const arn of Resource) expect(arn).toContain(`/${Sid}/`);
  }
});

test("a reference counts as long as an account id", () => {
  const { Resource, ...rest } = statement("one", 90);
  const unknown = Resource.map((arn) => arn.replace("123456789012", `\${TfToken[TOKEN.${"9".repeat(20)}]}`));
  expect(packPolicies([{ ...rest, Resource: unknown }])).toHaveLength(
    packPolicies([{ ...rest, Resource }]).length,
  );
});

test("every role and policy has the configured path, and every role its boundary", () => {
  const permissionsBoundary = "arn:aws:iam::123456789012:policy/developer";
  const { json } = new Template({
    ...SMALLEST,
    rolePath: "/acme/data/",
    permissionsBoundary,
    vpc: { flowLogs: true },
  });
  const roles = Object.values(json.resource.aws_iam_role ?? {});
  expect(roles.map(({ path, permissions_boundary }) => [path, permissions_boundary])).toEqual(
    Array(4).fill(["/acme/data/", permissionsBoundary]),
  );
  const policies = Object.values(json.resource.aws_iam_policy ?? {});
  expect(policies.map(({ path }) => path)).toEqual(Array(4).fill("/acme/data/"));
});
