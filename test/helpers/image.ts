import { spawn, spawnSync } from "node:child_process";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { run } from "./terraform.ts";

const root = join(import.meta.dirname, "../..");

/** Says that no Docker answers here, and what to do; nothing where one does. With REQUIRE_ALL=1 that is an error. */
export function lackingDocker(): string | undefined {
  if (spawnSync("docker", ["info"]).status === 0) return undefined;
  const message = "needs Docker: https://docs.docker.com/get-started/get-docker/";
  if (process.env.REQUIRE_ALL === "1") throw new Error(message);
  return message;
}

/** Runs `docker`, and gives its standard output; throws whatever it said if it fails. */
export async function docker(...args: string[]): Promise<string> {
  const { status, stdout, output } = await run(["docker", ...args], {
    cwd: root,
    environment: { DOCKER_BUILDKIT: "1" },
  });
  if (status !== 0) throw new Error(`docker ${args[0]} ended with ${status}:\n${output}`);
  return stdout;
}

export interface Built {
  readonly name: string;
  readonly megabytes: number;
}

/** Builds the image as `npm run image` does. */
export async function buildImage(platform: string): Promise<Built> {
  // The host's network, as there are engines that have no other.
  const command = [
    process.execPath,
    "modules/image.ts",
    "--network",
    "host",
    "--platform",
    platform,
  ] as const;
  const { status, stdout, output } = await run(command, { cwd: root, environment: {} });
  const [, name = "", megabytes] = /^(\S+), ([\d.]+) MB compressed\n$/m.exec(stdout) ?? [];
  if (status !== 0 || !name) throw new Error(`npm run image ended with ${status}:\n${output}`);
  return { name, megabytes: Number(megabytes) };
}

export interface Entry {
  /** As `ls -l` shows it. */
  readonly mode: string;
  readonly owner: string;
  /** Without the slash in front. */
  readonly path: string;
  /** Of a symbolic link. */
  readonly target?: string;
}

export interface Unpacked extends AsyncDisposable {
  /** The root of the image's files. */
  readonly folder: string;
  /** Every file, folder and link of every layer, what a later one hides included. */
  readonly entries: readonly Entry[];
  // biome-ignore lint/suspicious/noExplicitAny: what Docker's JSON holds is for the tests to say
  readonly config: any;
}

/** The image's files as it is stored, none of those that Docker adds where it runs. */
export async function unpack(name: string): Promise<Unpacked> {
  const folder = await mkdtemp(join(tmpdir(), "image-"));
  const at = (path: string) => join(folder, path);
  await mkdir(at("root"));
  const tar = async (...args: string[]) => {
    const { status, stdout, output } = await run(["tar", ...args], { cwd: folder, environment: {} });
    if (status !== 0) throw new Error(`tar ${args.join(" ")}: ${output}`);
    return stdout;
  };
  await docker("save", "--output", at("saved"), name);
  await tar("-xf", "saved");
  const [manifest] = JSON.parse(await readFile(at("manifest.json"), "utf8"));
  const entries: Entry[] = [];
  for (const layer of manifest.Layers) {
    const listing = await tar("--numeric-owner", "-tvf", layer);
    for (const line of listing.split("\n").filter(Boolean)) entries.push(parse(line));
    await tar("-xf", layer, "-C", "root");
  }
  return {
    folder: at("root"),
    entries,
    config: JSON.parse(await readFile(at(manifest.Config), "utf8")).config,
    [Symbol.asyncDispose]: () => rm(folder, { recursive: true, force: true }),
  };
}

/** A line of `tar -tv`: mode, owner, size, day, time, path and, for a link, where it leads. */
function parse(line: string): Entry {
  const [, mode = "", owner = "", name = ""] = /^(\S+) (\S+) +\d+ \S+ \S+ (.*)$/.exec(line) ?? [];
  const [path = "", target] = name.split(" -> ");
  return { mode, owner, path, ...(target && { target }) };
}

/** Starts a program and gives its first bytes and how long they took, in milliseconds. */
export async function timeToFirstByte(program: string): Promise<{ milliseconds: number; text: string }> {
  const started = performance.now();
  const child = spawn(program, { env: {}, stdio: ["ignore", "pipe", "inherit"] });
  const text = await new Promise<string>((resolve, reject) => {
    child.once("error", reject);
    child.stdout.once("data", (chunk) => resolve(String(chunk)));
  });
  const milliseconds = performance.now() - started;
  child.kill();
  return { milliseconds, text };
}
