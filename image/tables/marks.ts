import { readdir } from "node:fs/promises";
import type { ScratchRepository } from "../git/scratch-repository.ts";

/** What `.gitattributes` says of a file: undefined where it says nothing. */
export interface Mark {
  readonly generated?: boolean;
  readonly vendored?: boolean;
}

const attributes = ["linguist-generated", "linguist-vendored"] as const;

/**
 * Returns what `.gitattributes` in a scratch repository's work tree says of files, in their order.
 * Empty where there is no such file. @throws GitError
 */
export async function readMarks(
  scratch: ScratchRepository,
  paths: readonly string[],
): Promise<readonly Mark[]> {
  if (paths.length === 0 || (await readdir(scratch.worktree)).length === 0) return [];
  const input = Buffer.from(paths.map((path) => `${path}\0`).join(""));
  const command = ["check-attr", "--stdin", "-z", ...attributes];
  const output = await scratch.run(command, { input, worktree: scratch.worktree });
  // Each line is a path, an attribute and its value.
  const values = output.split("\0");
  return paths.map((_, index) => {
    const [generated, vendored] = attributes.map((_, which) =>
      isSet(values[3 * (attributes.length * index + which) + 2]),
    );
    return { ...(generated !== undefined && { generated }), ...(vendored !== undefined && { vendored }) };
  });
}

/** Returns whether an attribute is set; undefined where it is not specified. */
function isSet(value: string | undefined): boolean | undefined {
  if (value === "unspecified" || value === undefined) return undefined;
  return value !== "unset" && value !== "false";
}
