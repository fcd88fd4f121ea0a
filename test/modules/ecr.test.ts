import { describe, expect, test } from "bun:test";
import { parseOne } from "../fixtures/configuration.ts";
import { IMAGE, ref, SMALLEST, Template } from "../fixtures/template.ts";

const built = new Template({ ...SMALLEST, image: "build" });

describe("an image that is built", () => {
  test("adds these resources to the stack", () => {
    const prebuilt = new Template(SMALLEST).addresses;
    expect(built.addresses.filter((address) => !prebuilt.includes(address))).toEqual([
      "aws_ecr_lifecycle_policy.ecr_lifecycle",
      "aws_ecr_repository.ecr",
      "data.aws_ecr_authorization_token.ecr_login",
      "docker_image.ecr_image",
      "docker_registry_image.ecr_pushed",
    ]);
  });

  test("is stored with immutable tags, and destroying the stack does not delete images", () => {
    expect(built.get("aws_ecr_repository.ecr")).toMatchObject({
      name: "git-diff",
      image_tag_mutability: "IMMUTABLE",
      image_scanning_configuration: { scan_on_push: true },
    });
    expect(built.get("aws_ecr_repository.ecr")).not.toHaveProperty("force_delete");
  });

  test("expires only when it has no tag", () => {
    const { rules } = JSON.parse(String(built.get("aws_ecr_lifecycle_policy.ecr_lifecycle").policy));
    expect(rules.map(({ selection }: { selection: { tagStatus: string } }) => selection.tagStatus)).toEqual([
      "untagged",
    ]);
  });

  test("is built for ARM64 from the project's folder, and tagged with the hash of its sources", () => {
    const { name, build } = built.get("docker_image.ecr_image");
    expect(name).toMatch(/^\$\{aws_ecr_repository\.ecr\.repository_url\}:[0-9a-f]{64}$/);
    const { context } = build as { context: string };
    expect(context).toStartWith("../../../");
    expect(build).toEqual({
      context,
      dockerfile: `${context}/image/Dockerfile`,
      platform: "linux/arm64",
      build_args: { SOURCE_DATE_EPOCH: "0" },
      builder: "default",
    });
  });

  test("is built by one exact version of the provider", () => {
    expect(built.json.terraform.required_providers.docker).toEqual({
      source: "kreuzwerker/docker",
      version: "3.6.2",
    });
  });

  test("is run by the task, by the pushed digest", () => {
    const digest = ref("docker_registry_image.ecr_pushed.sha256_digest");
    expect(built.container().image).toBe(`${ref("aws_ecr_repository.ecr.repository_url")}@${digest}`);
  });

  test("changes the task when it changes, and nothing else", () => {
    const template = new Template({ ...SMALLEST, image: "build" });
    const resources = template.addresses.filter((address) => !address.startsWith("data."));
    const changed = new Set(["docker_image.ecr_image"]);
    for (const address of changed) {
      // A new revision of the task does not change its ARN without the revision.
      const reads = new RegExp(`\\$\\{${address}\\.(?!arn_without_revision)`);
      for (const one of resources) if (reads.test(JSON.stringify(template.get(one)))) changed.add(one);
    }
    expect([...changed]).toEqual([
      "docker_image.ecr_image",
      "docker_registry_image.ecr_pushed",
      "aws_ecs_task_definition.task-all",
    ]);
    // The tag is only in the image's name.
    const [tag = ""] = /[0-9a-f]{64}$/.exec(String(template.get("docker_image.ecr_image").name)) ?? [];
    expect(JSON.stringify(template.json).split(tag).length).toBe(2);
  });

  test("is the only one that the execution role may pull", () => {
    const pull = built.allStatements.find(({ Sid }) => Sid === "PullImage");
    expect(pull?.Resource).toEqual([ref("aws_ecr_repository.ecr.arn")]);
  });

  test("is pushed with a login that does not depend on any resource", () => {
    const [docker] = built.json.provider.docker ?? [];
    expect(JSON.stringify(docker)).toContain(".dkr.ecr.eu-west-1.");
    expect(JSON.stringify(docker)).not.toContain("aws_ecr_repository");
  });
});

describe("in a region where the Docker provider cannot sign in to ECR", () => {
  test.each(["cn-north-1", "eusc-de-east-1", "us-isob-east-1"])("%s, a build is refused", (region) => {
    const { image: _, ...smallest } = SMALLEST;
    for (const [image, shown] of [
      ["build", '= "build"'],
      [undefined, "(missing)"],
    ]) {
      expect(() => parseOne({ ...smallest, region, ...(image && { image }) })).toThrow(
        `gitDiff.image ${shown} cannot be pushed in ${region}, because the Docker provider signs in to amazonaws.com only; run "npm run image -- --push <repository>", and write the reference that it prints`,
      );
    }
  });

  test("an image that is there is taken", () => {
    const image = IMAGE.replace("eu-west-1.amazonaws.com", "cn-north-1.amazonaws.com.cn");
    expect(parseOne({ ...SMALLEST, region: "cn-north-1", image }).image).toBe(image);
    expect(parseOne({ ...SMALLEST, region: "us-gov-west-1", image: "build" }).image).toBe("build");
  });
});
