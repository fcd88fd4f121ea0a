import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { createGzip } from "node:zlib";
import { hashSources } from "./sources.ts";

/** `npm run image`: builds the image on this computer, for ARM64 by default. Arguments are passed on to `docker build`. */
const root = join(import.meta.dirname, "..");
const name = `git-diff-to-s3:${hashSources(root)}`;

/** Runs Docker in the foreground. Exits with Docker's status if that is not 0. */
function docker(args: readonly string[]): void {
  const env = { ...process.env, DOCKER_BUILDKIT: "1" };
  const { status } = spawnSync("docker", args, { cwd: root, env, stdio: "inherit" });
  if (status !== 0) process.exit(status ?? 1);
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

if (spawnSync("docker", ["info"]).status !== 0) {
  console.error(
    "Docker does not answer: install or start it (https://docs.docker.com/get-started/get-docker/), or set context.gitDiff.image in cdktf.json to a prebuilt image.",
  );
  process.exit(1);
}
const options = process.argv.slice(2);
const platform = options.some((option) => option.startsWith("--platform"))
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
  ...options,
  ".",
]);
console.log(`${name}, ${((await compressedBytes()) / 1e6).toFixed(1)} MB compressed`);
