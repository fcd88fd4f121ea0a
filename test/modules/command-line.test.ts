import { afterAll, expect, setDefaultTimeout, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

setDefaultTimeout(60_000);
const root = join(import.meta.dirname, "../..");
const folder = mkdtempSync(join(tmpdir(), "git-diff-command-line-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Puts a `node` into a folder which is the real one, but says that it is Node 24. cdktf has no pty.node for that. */
function newerNode(): string {
  const preload = join(folder, "newer.cjs");
  writeFileSync(
    preload,
    `Object.defineProperty(process, "versions", { value: { ...process.versions, modules: "137" } });
Object.defineProperty(process, "version", { value: "v24.21.0" });\n`,
  );
  const node = join(folder, "node");
  writeFileSync(node, `#!/bin/sh\nexec "${Bun.which("node")}" --require "${preload}" "$@"\n`);
  chmodSync(node, 0o755);
  return folder;
}

async function run(command: string[], path = process.env.PATH): Promise<{ status: number; error: string }> {
  const child = Bun.spawn(command, {
    cwd: root,
    env: { ...process.env, PATH: path, CHECKPOINT_DISABLE: "1" },
    stdout: "ignore",
    stderr: "pipe",
  });
  return { error: await new Response(child.stderr).text(), status: await child.exited };
}

test.each(["plan", "deploy", "destroy"])(
  "npm run %s with a Node that cdktf has no pty.node for says so, and what works",
  async (script) => {
    const { status, error } = await run(["npm", "run", script], `${newerNode()}:${process.env.PATH}`);
    expect(status).toBe(1);
    expect(error).toStartWith("cdktf's command line cannot run with Node v24.21.0 on");
    expect(error).toContain(
      "npm run synth\n  cd cdktf.out/stacks/<name>\n  terraform init && terraform plan",
    );
    expect(error).not.toContain("MODULE_NOT_FOUND");
  },
);

test("cdktf itself crashes there", async () => {
  const { status, error } = await run(
    ["node_modules/.bin/cdktf", "synth"],
    `${newerNode()}:${process.env.PATH}`,
  );
  expect(status).toBe(1);
  expect(error).toContain("pty.node");
});

test("there is no obstacle where cdktf runs", async () => {
  expect(await run([process.execPath, "modules/command-line.ts"])).toEqual({ status: 0, error: "" });
});
