import { createReadStream, existsSync } from "node:fs";
import { join } from "node:path";
import type { LargeFileSource } from "./fetch-large-files.ts";
import { lacking } from "./lacking.ts";
import { largeFileName } from "./pointer.ts";

/** Finds the large files of a repository on this computer, bare or not: git-lfs keeps them beside git's objects. */
export const folderSource = (folder: string): LargeFileSource => ({
  async find(files) {
    return new Map(
      files.map((file) => {
        const paths = [join(folder, ".git"), folder].map((git) => join(git, largeFileName(file)));
        const path = paths.find((path) => existsSync(path));
        return [file.oid, path ? () => createReadStream(path) : lacking(`${folder} does not have it`)];
      }),
    );
  },
});
