import { afterAll, describe, expect, test } from "bun:test";
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { contentHash } from "../../modules/ecr.ts";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

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

  test("is kept where no tag is ever moved, and where destroying does not take images along", () => {
    expect(built.get("aws_ecr_repository.ecr")).toMatchObject({
      name: "git-diff",
      image_tag_mutability: "IMMUTABLE",
      image_scanning_configuration: { scan_on_push: true },
    });
    expect(built.get("aws_ecr_repository.ecr")).not.toHaveProperty("force_delete");
  });

  test("is never removed by age or number: only what has no tag is", () => {
    const { rules } = JSON.parse(String(built.get("aws_ecr_lifecycle_policy.ecr_lifecycle").policy));
    expect(rules.map(({ selection }: { selection: { tagStatus: string } }) => selection.tagStatus)).toEqual([
      "untagged",
    ]);
  });

  test("is built for ARM64 from the project's folder, and named after its contents", () => {
    expect(built.get("docker_image.ecr_image")).toMatchObject({
      name: expect.stringMatching(/^\$\{aws_ecr_repository\.ecr\.repository_url\}:[0-9a-f]{64}$/),
      build: { dockerfile: "image/Dockerfile", platform: "linux/arm64", builder: "default" },
    });
  });

  test("is what the task runs, by the digest that was pushed", () => {
    const digest = ref("docker_registry_image.ecr_pushed.sha256_digest");
    expect(built.container().image).toBe(`${ref("aws_ecr_repository.ecr.repository_url")}@${digest}`);
  });

  test("changes the task and its schedule when it changes, and nothing else", () => {
    const template = new Template({ ...SMALLEST, image: "build" });
    const resources = template.addresses.filter((address) => !address.startsWith("data."));
    const changed = new Set(["docker_image.ecr_image"]);
    for (const address of changed) {
      // A new revision of the task leaves its ARN without the revision as it was.
      const reads = new RegExp(`\\$\\{${address}\\.(?!arn_without_revision)`);
      for (const one of resources) if (reads.test(JSON.stringify(template.get(one)))) changed.add(one);
    }
    expect([...changed]).toEqual([
      "docker_image.ecr_image",
      "docker_registry_image.ecr_pushed",
      "aws_ecs_task_definition.task-all",
      "aws_scheduler_schedule.schedule-all",
    ]);
    // The tag stands in the image's name alone.
    const [tag = ""] = /[0-9a-f]{64}$/.exec(String(template.get("docker_image.ecr_image").name)) ?? [];
    expect(JSON.stringify(template.json).split(tag).length).toBe(2);
  });

  test("is all that the execution role may pull", () => {
    const pull = built.allStatements.find(({ Sid }) => Sid === "PullImage");
    expect(pull?.Resource).toEqual([ref("aws_ecr_repository.ecr.arn")]);
  });

  test("is pushed with a login that is known before anything is made", () => {
    const [docker] = built.json.provider.docker ?? [];
    expect(JSON.stringify(docker)).toContain(".dkr.ecr.eu-west-1.");
    expect(JSON.stringify(docker)).not.toContain("aws_ecr_repository");
  });
});

describe("an image that is there", () => {
  const digest = `@sha256:${"b".repeat(64)}`;
  const statements = (image: string) => new Template({ ...SMALLEST, image }).allStatements;

  test("in another account's ECR is pulled from just there", () => {
    const found = statements(`210987654321.dkr.ecr.us-east-1.amazonaws.com/tools/diff:1.2${digest}`);
    const partition = ref("data.aws_partition.account_partition.partition");
    expect(found.find(({ Sid }) => Sid === "PullImage")?.Resource).toEqual([
      `arn:${partition}:ecr:us-east-1:210987654321:repository/tools/diff`,
    ]);
  });

  test("outside ECR needs no permission, not even to log in", () => {
    const found = statements(`ghcr.io/acme/git-diff${digest}`);
    expect(found.flatMap(({ Action }) => Action).filter((action) => action.startsWith("ecr:"))).toEqual([]);
  });
});

describe("the hash of an image's sources", () => {
  const folder = mkdtempSync(join(tmpdir(), "git-diff-hash-"));
  const project = join(folder, "a");
  mkdirSync(join(project, "image/inner"), { recursive: true });
  writeFileSync(join(project, "package-lock.json"), "{}");
  writeFileSync(join(project, "image/main.ts"), "main");
  writeFileSync(join(project, "image/inner/x.ts"), "x");
  const hash = (root: string) => contentHash(root, ["image", "package-lock.json"]);
  const before = hash(project);
  /** A copy elsewhere, with one thing changed. */
  const changed = (change: (root: string) => void) => {
    const root = mkdtempSync(join(folder, "copy-"));
    cpSync(project, root, { recursive: true });
    change(root);
    return hash(root);
  };
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  test("is the same in another folder, whatever lies beside the sources", () => {
    expect(changed(() => {})).toBe(before);
    expect(changed((root) => writeFileSync(join(root, "README.md"), "read me"))).toBe(before);
    expect(changed((root) => writeFileSync(join(root, "image/.DS_Store"), "x"))).toBe(before);
  });

  test("changes with every byte and every name", () => {
    const hashes = [
      before,
      changed((root) => writeFileSync(join(root, "image/main.ts"), "Main")),
      changed((root) => writeFileSync(join(root, "package-lock.json"), "{ }")),
      changed((root) => writeFileSync(join(root, "image/new.ts"), "")),
      changed((root) => renameSync(join(root, "image/inner/x.ts"), join(root, "image/x.ts"))),
    ];
    expect(new Set(hashes).size).toBe(hashes.length);
  });
});
