import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { hashSources } from "./sources.ts";

/**
 * `npm run image`: builds the image on this computer, for ARM64 by default. Arguments are passed on to `docker build`.
 * `--push REPOSITORY` puts the image into that repository, unless it is there, and prints its reference by digest.
 */
const root = join(import.meta.dirname, "..");
const tag = hashSources(root);
const name = `git-diff-to-s3:${tag}`;

function fail(message: string): never {
  console.error(message);
  process.exit(1);
}

/** Runs Docker in the foreground, all its output on stderr. Exits with Docker's status if that is not 0. */
function docker(...args: readonly string[]): void {
  // Without an attestation, which says when and where the image was built.
  const env = { ...process.env, DOCKER_BUILDKIT: "1", BUILDX_NO_DEFAULT_ATTESTATIONS: "1" };
  const { status } = spawnSync("docker", args, { cwd: root, env, stdio: ["inherit", 2, 2] });
  if (status !== 0) process.exit(status ?? 1);
}

function build(options: readonly string[]): void {
  const arm = options.some((option) => option.startsWith("--platform")) ? [] : ["--platform", "linux/arm64"];
  // The date that the image has, so that its digest is the same on every day.
  const given = [...arm, "--build-arg", "SOURCE_DATE_EPOCH=0", ...options];
  docker("build", "--progress", "plain", "--file", "image/Dockerfile", "--tag", name, ...given, ".");
}

/** Returns the image's reference by digest, once this computer and the repository have it. */
function push(repository: string, options: readonly string[]): string {
  const pushed = `${repository}:${tag}`;
  // The tag is the hash of the sources: an image that has it needs no build.
  const pulled = spawnSync("docker", ["pull", "--platform", "linux/arm64", pushed], { stdio: "ignore" });
  if (pulled.status !== 0) {
    build(options);
    docker("tag", name, pushed);
    docker("push", pushed);
  }
  const format = ["--format", "{{range .RepoDigests}}{{println .}}{{end}}"];
  const { stdout } = spawnSync("docker", ["image", "inspect", ...format, pushed], { encoding: "utf8" });
  const reference = stdout.split("\n").find((line) => line.startsWith(`${repository}@`));
  return reference ?? fail(`Docker has no digest of ${pushed}, although it pushed it: run this again.`);
}

/** Returns the image's compressed size in bytes. A registry's client may compress a little more or less. */
async function compressedBytes(): Promise<number> {
  const saved = spawn("docker", ["save", name], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(saved, "exit");
  let bytes = 0;
  for await (const chunk of saved.stdout.pipe(createGzip({ level: 9 }))) bytes += chunk.length;
  const [status] = await exited;
  if (status !== 0) process.exit(status ?? 1);
  return bytes;
}

const options = process.argv.slice(2);
const at = options.indexOf("--push");
const [, repository] = at === -1 ? [] : options.splice(at, 2);
if (at !== -1 && !/^[\w.-]+(:\d+)?\/[\w./-]+$/.test(repository ?? ""))
  fail(
    "--push needs a repository without a tag: npm run image -- --push 123456789012.dkr.ecr.eu-west-1.amazonaws.com/git-diff",
  );
if (spawnSync("docker", ["info"]).status !== 0)
  fail(
    "Docker does not answer: install or start it (https://docs.docker.com/get-started/get-docker/), or set context.gitDiff.image in cdktf.json to a prebuilt image.",
  );
if (repository) {
  console.log(push(repository, options));
} else {
  build(options);
  console.log(`${name}, ${((await compressedBytes()) / 1e6).toFixed(1)} MB compressed`);
}
