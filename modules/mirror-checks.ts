import { archivePrefix } from "../image/config/repository.ts";
import { type Entry, isList, isMirrored, noMirror, type Problem } from "./configured-keys.ts";

/** A mirror lies beside the diffs, in `<name>.git/`. */
export function checkMirrors(entries: readonly Entry[]): Problem[] {
  const mirrored = new Set(
    entries
      .filter(({ repository }) => isMirrored(repository))
      .map(({ repository }) => `${repository.name}.git`),
  );
  return entries.flatMap(({ repository, path }) => {
    const { name, refs, lfs, archiveRefs } = repository;
    const parts = name.split("/");
    const taken = parts
      .map((_, index) => parts.slice(0, index + 1).join("/"))
      .find((one) => mirrored.has(one));
    const inMirror = `would store its results in the mirror of "${taken?.replace(/\.git$/, "")}"; use another name`;
    const ownArchive = `would keep refs below ${archivePrefix}, which refs has of the host; remove one of the two`;
    return [
      ...(taken ? [{ path: [...path, "name"], message: inMirror }] : []),
      ...(refs && !isMirrored(repository) ? [{ path: [...path, "refs"], message: noMirror }] : []),
      ...(archiveRefs === true && isList(refs) && refs.some((ref) => String(ref).startsWith(archivePrefix))
        ? [{ path: [...path, "archiveRefs"], message: ownArchive }]
        : []),
      ...(archiveRefs !== undefined && !isMirrored(repository)
        ? [{ path: [...path, "archiveRefs"], message: noMirror }]
        : []),
      ...(lfs !== undefined && !isMirrored(repository)
        ? [{ path: [...path, "lfs"], message: noMirror }]
        : []),
    ];
  });
}
