import { afterAll, beforeAll, describe, expect, setDefaultTimeout, test } from "bun:test";
import {
  appendFileSync,
  cpSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { hashSources, imageSources } from "../../image/sources.ts";
import { type Aws, startAws } from "../fixtures/aws.ts";
import { docker } from "../fixtures/docker.ts";
import { type Ecr, startEcr } from "../fixtures/ecr.ts";
import { missingPrograms } from "../fixtures/requirements.ts";
import { type Change, run, terraformEnvironment } from "../fixtures/terraform.ts";

const missing = missingPrograms(
  "docker-provider",
  "docker",
  "docker-provider",
  "docker-registry",
  "hosts",
  "moto_server",
  "terraform",
);
const root = join(import.meta.dirname, "../..");
const network = { subnets: ["subnet-01234567"], securityGroups: ["sg-01234567"] };
const repositories = [{ name: "api", url: "https://github.com/acme/api.git" }];
// The first build fetches Debian's packages.
setDefaultTimeout(600_000);

describe.skipIf(missing !== undefined)(`the Docker provider${missing ? ` (${missing})` : ""}`, () => {
  let folder: string;
  let aws: Aws;
  let ecr: Ecr;
  let environment: Record<string, string>;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "docker-provider-"));
    aws = await startAws();
    ecr = await startEcr(aws);
    environment = {
      ...terraformEnvironment(aws, folder, "kreuzwerker/docker"),
      ...ecr.environment,
      AWS_ENDPOINT_URL: aws.endpoint,
      AWS_MAX_ATTEMPTS: "3",
    };
  });
  afterAll(async () => {
    const list = await docker("image", "ls", "--digests", "--format", "{{.Repository}} {{.Digest}} {{.Tag}}");
    const rows = list.split("\n").filter((line) => line.startsWith(`${ecr?.host}/`));
    const names = rows.flatMap((line) => {
      const [repository, digest, tag] = line.split(" ");
      return [`${repository}@${digest}`, `${repository}:${tag}`].filter((name) => !name.endsWith("<none>"));
    });
    for (const name of new Set(names.sort().reverse())) await docker("image", "rm", name);
    await ecr?.[Symbol.asyncDispose]();
    await aws?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  /** Runs a program in a folder, and returns what it prints. @throws if it fails, unless it is to */
  async function succeed(command: [string, ...string[]], cwd: string, more = {}): Promise<string> {
    const { status, stdout, output } = await run(command, { cwd, environment: { ...environment, ...more } });
    if (status !== 0) throw new Error(`${command.join(" ")} ended with ${status}:\n${output}`);
    return stdout;
  }

  /** A checkout of the project, and the stack that it synthesises. */
  class Checkout {
    readonly path = mkdtempSync(join(folder, "checkout-"));

    constructor(
      readonly name: string,
      readonly program: string,
    ) {
      for (const file of [...imageSources, ".dockerignore", "main.ts", "modules"])
        cpSync(join(root, file), join(this.path, file), { recursive: true });
      symlinkSync(join(root, "node_modules"), join(this.path, "node_modules"));
      // A provider that was built on this computer has none of the hashes of the releases.
      writeFileSync(join(this.path, ".terraform.lock.hcl"), "");
    }

    get stack(): string {
      return join(this.path, "cdktf.out/stacks", this.name);
    }

    async synthesise(image = "build"): Promise<void> {
      const gitDiff = { region: "eu-west-1", name: this.name, image, network, repositories };
      writeFileSync(
        join(this.path, "cdktf.json"),
        JSON.stringify({ language: "typescript", context: { gitDiff } }),
      );
      await succeed([process.execPath, "main.ts"], this.path);
      const file = join(this.stack, "cdk.tf.json");
      const json = JSON.parse(readFileSync(file, "utf8"));
      // A mirror on this computer may have no newer one, and the emulator's buckets need none.
      json.terraform.required_providers.aws.version = ">= 5.100.0, < 7.0.0";
      // The host's network, because some engines have no other.
      for (const { build } of Object.values<{ build: object }>(json.resource.docker_image ?? {}))
        Object.assign(build, { network_mode: "host" });
      writeFileSync(file, JSON.stringify(json));
    }

    run(args: string[], more = {}): Promise<string> {
      return succeed([this.program, ...args], this.stack, more);
    }

    /** What would change, and how. */
    async plan(more = {}): Promise<Record<string, readonly string[]>> {
      await this.run(["plan", "-input=false", "-out=planned"], more);
      const { resource_changes } = JSON.parse(await this.run(["show", "-json", "planned"], more));
      const changes = resource_changes.filter(
        ({ mode, change }: Change) => mode === "managed" && change.actions[0] !== "no-op",
      );
      return Object.fromEntries(changes.map(({ address, change }: Change) => [address, change.actions]));
    }

    async apply(): Promise<void> {
      await this.run(["apply", "-input=false", "planned"]);
    }

    async image(): Promise<string> {
      return JSON.parse(await this.run(["output", "-json", "image"]));
    }

    /** `npm run image -- --push`: what it prints on stdout and stderr. */
    async push(repository: string): Promise<{ reference: string; log: string }> {
      const command = [process.execPath, join(this.path, "image/build.ts"), "--push", repository] as const;
      const { status, stdout, output } = await run([...command, "--network", "host"], {
        cwd: this.path,
        environment,
      });
      if (status !== 0) throw new Error(`npm run image -- --push ended with ${status}:\n${output}`);
      return { reference: stdout.trim(), log: output };
    }
  }

  const programs = ["terraform", ...(Bun.which("tofu") ? ["tofu"] : [])];

  describe.each(programs)("with %s", (program) => {
    let checkout: Checkout;
    let repository: string;
    let first: string;
    beforeAll(async () => {
      checkout = new Checkout(`built-${program}`, program);
      repository = `${ecr.host}/${checkout.name}`;
      await checkout.synthesise();
      await checkout.run(["init", "-input=false"]);
      await checkout.plan();
      await checkout.apply();
      first = hashSources(checkout.path);
    });

    test("pushes the image, and has the task run it by digest", async () => {
      const digests = await ecr.digests(checkout.name);
      expect(Object.keys(digests)).toEqual([hashSources(root)]);
      expect(await checkout.image()).toBe(`${repository}@${digests[first]}`);
      const state = await checkout.run(["show", "-json"]);
      expect(state).toContain(`\\"image\\":\\"${repository}@${digests[first]}\\"`);
    });

    test("has nothing to change once it has applied, also if it is synthesised again", async () => {
      expect(await checkout.plan()).toEqual({});
      await checkout.synthesise();
      expect(await checkout.plan()).toEqual({});
    });

    test("builds and pushes once when a source has changed", async () => {
      const changed = 'if (process.env.CHANGED) console.log("changed");\n';
      appendFileSync(join(checkout.path, "image/main.ts"), changed);
      await checkout.synthesise();
      expect(await checkout.plan()).toEqual({
        "aws_ecs_task_definition.task-all": ["create", "delete"],
        "docker_image.ecr_image": ["create", "delete"],
        "docker_registry_image.ecr_pushed": ["create", "delete"],
      });
      await checkout.apply();
      const {
        [first]: old,
        [hashSources(checkout.path)]: updated,
        ...others
      } = await ecr.digests(checkout.name);
      expect(others).toEqual({});
      expect(updated).not.toBe(old);
      expect(await checkout.image()).toBe(`${repository}@${updated}`);
      expect(await checkout.plan()).toEqual({});
    });

    test("plans nothing where Docker has never seen the image, once npm run image -- --push was there", async () => {
      await docker("image", "rm", `${repository}:${hashSources(checkout.path)}`);
      expect(await checkout.plan()).toEqual({ "docker_image.ecr_image": ["create"] });
      const { reference, log } = await checkout.push(repository);
      expect(reference).toBe(await checkout.image());
      expect(log).toBe(`${reference}\n`);
      expect(await checkout.plan()).toEqual({});
    });

    test("says what is missing without Docker", async () => {
      const DOCKER_HOST = `unix://${join(folder, "docker.sock")}`;
      await expect(checkout.plan({ DOCKER_HOST })).rejects.toThrow(
        /Error pinging Docker server.*Cannot connect to the Docker daemon at unix:.*docker\.sock/s,
      );
    });
  });

  describe("an image that npm run image pushes", () => {
    let checkout: Checkout;
    let repository: string;
    let reference: string;
    beforeAll(async () => {
      checkout = new Checkout("prebuilt", "terraform");
      repository = `${ecr.host}/tools/${checkout.name}`;
      ({ reference } = await checkout.push(repository));
    });

    test("is in the repository, by the digest that is printed", async () => {
      const digests = await ecr.digests(`tools/${checkout.name}`);
      expect(reference).toBe(`${repository}@${digests[hashSources(root)]}`);
    });

    test("is neither built nor pushed again, also on a computer that does not have it", async () => {
      await docker("image", "rm", `${repository}:${hashSources(root)}`);
      expect(await checkout.push(repository)).toEqual({ reference, log: `${reference}\n` });
    });

    test("is all that a stack needs: it plans nothing of Docker, and runs no Docker", async () => {
      await checkout.synthesise(reference);
      const noDocker = { DOCKER_HOST: `unix://${join(folder, "docker.sock")}` };
      await checkout.run(["init", "-input=false"]);
      const planned = Object.keys(await checkout.plan(noDocker));
      expect(planned).toContain("aws_ecs_task_definition.task-all");
      expect(planned.filter((address) => /docker|ecr/.test(address))).toEqual([]);
    });
  });

  test("npm run image -- --push asks for a repository", async () => {
    for (const args of [[], ["--network"], [`${ecr.host}/x:1`]]) {
      const command = [process.execPath, "image/build.ts", "--push", ...args] as const;
      const { status, output } = await run(command, { cwd: root, environment });
      expect(status).toBe(1);
      expect(output).toStartWith("--push needs a repository without a tag: npm run image -- --push ");
    }
  });

  test("the digest depends neither on the folder nor on the day", async () => {
    const builds: string[] = [];
    for (const name of ["here", "there"]) {
      const { path } = new Checkout(name, "terraform");
      const tag = `git-diff-to-s3-test:${name}`;
      const options = ["--no-cache", "--network", "host", "--tag", tag];
      await succeed([process.execPath, join(path, "image/build.ts"), ...options], path);
      builds.push(tag);
      await Bun.sleep(1000);
    }
    const [here, there] = JSON.parse(await docker("image", "inspect", ...builds));
    expect(here.RootFS).toEqual(there.RootFS);
    expect(here.Config).toEqual(there.Config);
    // Older engines write the time of the build into the image, whatever they are asked: SOURCE_DATE_EPOCH is BuildKit 0.11's.
    const engine = await docker("version", "--format", "{{.Server.Version}}");
    if (Number.parseInt(engine, 10) < 24) return;
    expect(here.Created).toBe("1970-01-01T00:00:00Z");
    expect(here.Id).toBe(there.Id);
  });
});
