import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ConfigurationError } from "./configuration-error.ts";
import { readContext } from "./context.ts";

/** Where cdktf's command line has its native part, pty.node, for some versions of Node alone. */
const TERMINAL = "@cdktf/node-pty-prebuilt-multiarch";

/** Returns why cdktf's command line would crash with the `node` on PATH, and the way without it, or undefined if it runs. */
export function findObstacle(root: string): string | undefined {
  const script = `console.log(process.version); if (require("fs").existsSync("node_modules/${TERMINAL}")) require("${TERMINAL}")`;
  const { status, stdout } = spawnSync("node", ["-e", script], { cwd: root, encoding: "utf8" });
  if (status === 0) return undefined;
  const { platform, arch } = process;
  const supported = platform === "linux" && arch === "arm64" ? "20" : "20 or 22";
  return [
    `cdktf's command line cannot run with Node ${stdout?.trim()} on ${platform}-${arch}: it has no pty.node for it. Use Node ${supported}, or do without it:`,
    "  npm run synth",
    "  cd cdktf.out/stacks/<name>",
    "  terraform init && terraform plan    # or tofu; then apply or destroy",
  ].join("\n");
}

if (import.meta.main) {
  try {
    const root = join(import.meta.dirname, "..");
    // cdktf reads the file too, and answers a mistake with its own stack.
    readContext(join(root, "cdktf.json"));
    const obstacle = findObstacle(root);
    if (obstacle) throw new ConfigurationError(obstacle);
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
    console.error(error.message);
    process.exitCode = 1;
  }
}
