import { describe, expect, test } from "bun:test";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

describe("a prebuilt image", () => {
  const digest = `@sha256:${"b".repeat(64)}`;
  const statements = (image: string) => new Template({ ...SMALLEST, image }).allStatements;

  test("in another account's ECR is pulled from that repository", () => {
    const found = statements(`210987654321.dkr.ecr.us-east-1.amazonaws.com/tools/diff:1.2${digest}`);
    const partition = ref("data.aws_partition.account_partition.partition");
    expect(found.find(({ Sid }) => Sid === "PullImage")?.Resource).toEqual([
      `arn:${partition}:ecr:us-east-1:210987654321:repository/tools/diff`,
    ]);
  });

  test("outside ECR needs no permission", () => {
    const found = statements(`ghcr.io/acme/git-diff${digest}`);
    expect(found.flatMap(({ Action }) => Action).filter((action) => action.startsWith("ecr:"))).toEqual([]);
  });
});
