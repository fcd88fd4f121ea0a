import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { missingPrograms, testAll } from "./fixtures/requirements.ts";
import { filesThatReach, unitSuites } from "./fixtures/suites.ts";

// `npm test`: runs the unit suites, two at a time. Leaves out those that need an AWS emulator where there is none.
const missing = missingPrograms("aws", "moto_server");
const suites = unitSuites();
const needing = filesThatReach("test/fixtures/aws.ts");
const left = missing === undefined ? [] : suites.filter((suite) => needing.has(suite));
const rest = suites.filter((suite) => !left.includes(suite)).map((suite) => `./${suite}`);

const outdir = mkdtempSync(join(tmpdir(), "worker-bundle-"));
const entry = join(import.meta.dirname, "../image/main.ts");
await Bun.build({ entrypoints: [entry], outdir, target: "bun", format: "cjs", bytecode: true, minify: true });
const env = { ...process.env, WORKER_BUNDLE: join(outdir, "main.js") };
// Long enough for a busy computer. What should be quick is measured, not timed out.
const options = ["test", "--parallel=2", "--timeout=60000"];
const { status } = spawnSync(process.execPath, [...options, ...rest], { stdio: "inherit", env });
rmSync(outdir, { recursive: true, force: true });

if (left.length > 0)
  console.log(`\n${left.length} suites were skipped: aws ${missing}\n  ${left.join("\n  ")}`);
if (!testAll)
  console.log("\nLeft to `npm run test:all`: test/e2e, test/performance, and the tests skipped above.");
process.exitCode = status ?? 1;
