import { describe, expect, test } from "bun:test";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { variables } from "../image/config/variables.ts";
import { collectionSettings } from "../modules/collection.ts";
import packageFile from "../package.json";
import { parse } from "./fixtures/configuration.ts";

const root = join(import.meta.dirname, "..");
const read = (path: string) => readFileSync(join(root, path), "utf8");
const list = (folder: string, ending: string) =>
  readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(ending) && !path.includes("node_modules"))
    .map((path) => join(folder, path));

const docs = list("docs", ".md");
const pages = ["README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", ...docs];
const source = list("image", ".ts").map(read).join("\n");

/** Returns the part of a page below a heading, up to the next one. */
function section(page: string, heading: string): string {
  const [, text = ""] = read(page).split(`${heading}\n`);
  return text.split(/^#/m)[0] ?? "";
}

/** Returns the words in backticks in the first column of the tables in a text. */
const firstColumn = (text: string): string[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("| `"))
    .flatMap((line) => [...(line.split("|")[1] ?? "").matchAll(/`([^`]+)`/g)].map(([, word = ""]) => word));

const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, word = ""]) => word);
const sorted = (words: Iterable<string>) => [...new Set(words)].sort();

/** Returns the anchor that Markdown makes of a heading. */
const anchorOf = (heading: string) =>
  heading
    .toLowerCase()
    .replace(/[^\w\s-]/g, "")
    .trim()
    .replaceAll(" ", "-");

describe.each(pages)("%s", (page) => {
  test("links to files and headings that exist", () => {
    const broken = matches(read(page), /\]\(([^)\s]+)\)/g).filter((link) => {
      if (/^https?:/.test(link)) return false;
      const [path = "", anchor] = link.split("#");
      const target = path === "" ? page : join(dirname(page), path);
      if (!existsSync(join(root, target))) return true;
      return (
        anchor !== undefined &&
        !matches(read(target), /^#+ (.*)$/gm)
          .map(anchorOf)
          .includes(anchor)
      );
    });
    expect(broken).toEqual([]);
  });

  test("names commands that exist", () => {
    const named = matches(read(page), /(?:^ *|`|&& )npm (?:--silent )?(?:run )?([a-z:]+)/gm);
    const known = new Set([...Object.keys(packageFile.scripts), "ci", "install", "pkg"]);
    expect(named.filter((name) => !known.has(name))).toEqual([]);
  });
});

test("every command for AWS names its region", () => {
  const commands = docs.flatMap((page) =>
    matches(read(page), /((?:^ *|\| *|\$\()aws [a-z0-9-]+ [^|]*?)(?:\n\n|\n```|\||$)/gm),
  );
  expect(commands.length).toBeGreaterThan(10);
  expect(commands.filter((command) => !command.includes("--region"))).toEqual([]);
});

test("every script of package.json is documented", () => {
  const text = pages.map(read).join("\n");
  const missing = Object.keys(packageFile.scripts).filter(
    (name) => !new RegExp(`npm (--silent )?(run )?${name}\\b`).test(text),
  );
  expect(missing).toEqual([]);
});

test("README fits 150 lines, and links every page", () => {
  expect(read("README.md").split("\n").length).toBeLessThanOrEqual(151);
  expect(docs.filter((page) => !read("README.md").includes(`(${page})`))).toEqual([]);
});

test.each(docs)("%s begins with who needs it", (page) => {
  expect(read(page)).toMatch(/^# .*\n\nFor /);
});

test("the worker's variables are documented, and no others", () => {
  expect(sorted(firstColumn(section("docs/worker.md", "## Environment")))).toEqual(
    sorted(Object.values(variables)),
  );
});

test("the keys of cdktf.json are documented, and no others", () => {
  const keysIn = (configuration: object): string[] => {
    try {
      parse(configuration);
    } catch (error) {
      const known = /bogus.*use one of ([\w, ]+)$/m.exec((error as Error).message)?.[1] ?? "";
      return known.split(", ");
    }
    return [];
  };
  const documented = (heading: string) => sorted(firstColumn(section("docs/configuration.md", heading)));
  const settings = Object.keys(collectionSettings);
  expect([...documented("## Keys of `gitDiff`"), ...settings].sort()).toEqual(sorted(keysIn({ bogus: 1 })));
  expect(documented("## Keys of a collection")).toEqual(sorted(settings));
  expect(documented("## Keys of a repository")).toEqual(sorted(keysIn({ repositories: [{ bogus: 1 }] })));
});

test("every error code is documented, and no other", () => {
  const thrown = matches(source, /new (?:Git|Cursor|Store|Limit)Error\(\s*"([a-z-]+)"/g);
  // The tables of git's messages have the code in a line of its own.
  const mapped = matches(source, /^\s+"(git-[a-z-]+)",$/gm);
  const others = ["configuration", "internal", "git-killed"];
  expect(thrown.length).toBeGreaterThan(15);
  expect(sorted(firstColumn(section("docs/output.md", "## Error codes")))).toEqual(
    sorted([...thrown, ...mapped, ...others]),
  );
});

test("every finding of verify is documented at its level, and no other", () => {
  for (const level of ["problem", "note"]) {
    const found = matches(source, new RegExp(`\\b${level}\\(\\s*"([a-z-]+)"`, "g"));
    const fromCursor = level === "problem" ? ["cursor-invalid"] : [];
    const heading = level === "problem" ? "## Problems" : "## Notes";
    expect(sorted(firstColumn(section("docs/verify.md", heading)))).toEqual(
      sorted([...found, ...fromCursor]),
    );
  }
});

test("every event is documented, and no other", () => {
  const written = [
    ...matches(source, /\bevent\("([a-z]+)"/g),
    ...matches(read("image/mirror/ref-events.ts"), /\bevent: "([a-z-]+)"/g),
  ];
  const outcomes = ["collect", "mirror"].flatMap((room) =>
    matches(read(`image/${room}/outcome.ts`), /status: "([a-z]+)"/g),
  );
  // A wrong configuration is a failure too, and written by another function.
  expect(sorted(firstColumn(section("docs/output.md", "## Events")))).toEqual(
    sorted([...written, ...outcomes]),
  );
});

test("every exit status is documented, and no other", () => {
  const statuses = matches(/const status = \{([^}]*)\}/.exec(read("image/main.ts"))?.[1] ?? "", /: (\d+)/g);
  const documented = section("docs/output.md", "## Exit statuses")
    .split("\n")
    .flatMap((line) => matches(line.split("|")[1] ?? "", /(\d+)/g));
  expect(sorted(documented)).toEqual(sorted(statuses));
});

test("every field of a step record is documented, and no other", () => {
  const text = read("image/chain/record.ts");
  const fields = matches(text, /^ {2}(\w+): (?:z\b|objectId)/gm);
  expect(fields.length).toBeGreaterThan(25);
  expect(sorted(firstColumn(section("docs/format.md", "## The step record")))).toEqual(
    sorted([...fields, "state"]),
  );
});

test.each([
  ["image", "## The worker", ["image/Dockerfile"]],
  ["modules", "## The stack", []],
])("docs/architecture.md has a line for each file of %s/, and for no other", (folder, heading, others) => {
  const files = [...list(folder, ".ts"), ...others].map((path) => path.replace(`${folder}/`, ""));
  expect(sorted(firstColumn(section("docs/architecture.md", heading)))).toEqual(sorted(files));
});
