import { expect, test } from "bun:test";
import { document, pack, type Statement } from "../../modules/iam.ts";

const statement = (Sid: string, count: number): Statement => ({
  Sid,
  Effect: "Allow",
  Action: ["ssm:GetParameter"],
  Resource: Array.from(
    { length: count },
    (_, index) => `arn:aws:ssm:eu-west-1:123456789012:parameter/${Sid}/${index}`,
  ),
});

test("what fits one policy is one policy, as it was written", () => {
  const statements = [statement("one", 3), statement("two", 2)];
  expect(pack(statements)).toEqual([statements]);
});

test("a statement without resources is left out", () => {
  expect(pack([statement("none", 0)])).toEqual([]);
});

test("many resources are spread over policies that IAM takes, none twice and none lost", () => {
  const statements = [statement("one", 250), statement("two", 50)];
  const policies = pack(statements);
  expect(policies.length).toBeGreaterThan(1);
  for (const policy of policies) expect(document(policy).length).toBeLessThanOrEqual(6144);
  const all = policies.flat().flatMap(({ Resource }) => Resource);
  expect(all).toEqual(statements.flatMap(({ Resource }) => Resource));
  for (const { Sid, Resource } of policies.flat()) {
    for (const arn of Resource) expect(arn).toContain(`/${Sid}/`);
  }
});

test("an account id that only Terraform knows counts as what it will be", () => {
  const { Resource, ...rest } = statement("one", 90);
  const unknown = Resource.map((arn) => arn.replace("123456789012", `\${TfToken[TOKEN.${"9".repeat(20)}]}`));
  expect(pack([{ ...rest, Resource: unknown }])).toHaveLength(pack([{ ...rest, Resource }]).length);
});

test("more policies than a role takes are refused", () => {
  expect(() => pack([statement("one", 2000)])).toThrow(/IAM attaches 10: add a collection/);
});
