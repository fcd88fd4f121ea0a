import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { contentHash, SOURCES } from "./ecr.ts";

/** `npm run image`: builds the image on this computer, for ARM64 unless told; what is told goes to `docker build`. */
const root = join(import.meta.dirname, "..");
const name = `git-diff-to-s3:${contentHash(root, SOURCES)}`;

/** Has Docker do it where everybody sees it, and ends with Docker's status where that is not 0. */
function docker(args: readonly string[]): void {
  const env = { ...process.env, DOCKER_BUILDKIT: "1" };
  const { status } = spawnSync("docker", args, { cwd: root, env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
}

/** What the image weighs on its way to a registry; how hard a registry's client compresses is its own choice. */
async function compressedBytes(): Promise<number> {
  const saved = spawn("docker", ["save", name], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(saved, "exit");
  let bytes = 0;
  for await (const chunk of saved.stdout.pipe(createGzip({ level: 9 }))) bytes += chunk.length;
  const [status] = await exited;
  if (status !== 0) process.exit(status ?? 1);
  return bytes;
}

if (spawnSync("docker", ["info"]).status !== 0) {
  console.error(
    "No Docker answers here: install or start it (https://docs.docker.com/get-started/get-docker/), or name a prebuilt image in cdktf.json, context.gitDiff.image.",
  );
  process.exit(1);
}
const told = process.argv.slice(2);
const platform = told.some((argument) => argument.startsWith("--platform"))
  ? []
  : ["--platform", "linux/arm64"];
docker([
  "build",
  "--progress",
  "plain",
  ...platform,
  "--file",
  "image/Dockerfile",
  "--tag",
  name,
  ...told,
  ".",
]);
console.log(`${name}, ${((await compressedBytes()) / 1e6).toFixed(1)} MB compressed`);
