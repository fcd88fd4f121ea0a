export interface GitRun {
  cwd?: string;
  input?: Uint8Array | string;
  env?: Record<string, string>;
}

/** An environment in which git sees nothing of the computer it runs on but the programs on PATH. */
export function hermetic(extra: Record<string, string> = {}): Record<string, string> {
  return {
    PATH: process.env.PATH ?? "",
    HOME: "/dev/null",
    XDG_CONFIG_HOME: "/dev/null",
    LC_ALL: "C",
    TZ: "UTC",
    GIT_CONFIG_NOSYSTEM: "1",
    GIT_CONFIG_GLOBAL: "/dev/null",
    GIT_ATTR_NOSYSTEM: "1",
    GIT_TERMINAL_PROMPT: "0",
    ...extra,
  };
}

/** How git ended, whether well or not: for tests that are about a refusal. */
export async function tryGit(
  args: readonly string[],
  { cwd, input, env = {} }: GitRun = {},
): Promise<{ status: number; stdout: Buffer; stderr: string }> {
  const child = Bun.spawn(["git", ...args], {
    cwd,
    env: hermetic(env),
    stdin: Buffer.from(input ?? ""),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [status, stdout, stderr] = await Promise.all([
    child.exited,
    new Response(child.stdout).arrayBuffer(),
    new Response(child.stderr).text(),
  ]);
  return { status, stdout: Buffer.from(stdout), stderr };
}

export async function git(args: readonly string[], run: GitRun = {}): Promise<Buffer> {
  const { status, stdout, stderr } = await tryGit(args, run);
  if (status !== 0) throw new Error(`git ${args.join(" ")} exited ${status}: ${stderr.trim()}`);
  return stdout;
}
