import { afterAll, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readLocalRepositories } from "../../../image/config/local-repositories.ts";

const folder = realpathSync(mkdtempSync(join(tmpdir(), "local-")));
mkdirSync(join(folder, "my repository"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (...names: string[]) => readLocalRepositories(names, { INIT_CWD: folder }, folder);
const url = `file://${folder}/my%20repository`;

test("a path, a relative path and a file: URL are the same repository", () => {
  for (const name of [`${folder}/my repository`, "my repository", "./my repository/", url, `${url}/`]) {
    expect(read(name)).toEqual(read(join(folder, "my repository")));
  }
  expect(read(url)[0]?.location).toEqual({ url, transport: "file" });
});

test("without names, the repository is the folder itself", () => {
  expect(read()[0]?.location.url).toBe(`file://${folder}`);
});

test("each repository has a folder of its own below git-diffs/", () => {
  const destinations = read("https://host/a.git", "https://host/b", "my repository").map(
    ({ destination }) => destination,
  );
  expect(destinations).toEqual([
    `${folder}/git-diffs/host/a`,
    `${folder}/git-diffs/host/b`,
    expect.stringMatching(/git-diffs\/my repository-[0-9a-f]{7}$/),
  ]);
});

test.each([
  [["missing"], /^missing is neither an https:\/\/ URL nor a folder\.$/],
  [["git@host:a.git"], /is an SSH address/],
  [["file:///nowhere"], /is not the URL of a folder/],
  [["my repository", url], /is given twice/],
  [["https://user:secret@host/a?token=secret"], /^https:\/\/\*\*\*@host\/a\?\*\*\* contains a password/],
])("%j is a mistake", (names, problem) => {
  expect(() => read(...names)).toThrow(problem);
});

test("one credential is not sent to two hosts", () => {
  const environment = { GIT_HTTP_CREDENTIALS: "user:secret" };
  const names = ["https://one.example/a", "https://two.example/a"];
  expect(() => readLocalRepositories(names, environment, folder)).toThrow(/one.example and two.example/);
});
