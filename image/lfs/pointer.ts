/** A file that git itself does not have: in its place, a blob names it. */
export interface LargeFile {
  /** The SHA-256 of its content. */
  readonly oid: string;
  readonly bytes: number;
}

/** Sizes of blobs that can be pointers, in bytes: git-lfs looks at no larger ones, and this is less than all lines need. */
export const [fewestBytes, mostBytes] = [100, 1024];

/** With the two names that the version had before, and the lines of extensions. */
const pointer =
  /^version (?:https:\/\/git-lfs\.github\.com\/spec\/v1|https:\/\/hawser\.github\.com\/spec\/v1|http:\/\/git-media\.io\/v\/2)\n(?:ext-\d-\w+ sha256:[0-9a-f]{64}\n)*oid sha256:([0-9a-f]{64})\nsize (\d{1,15})$/;

/**
 * Returns the file that a blob points to; undefined for any other blob. An empty file has no content to get.
 * Source: https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md
 */
export function parsePointer(content: string): LargeFile | undefined {
  const [, oid = "", size] = pointer.exec(content.replaceAll("\r\n", "\n").trim()) ?? [];
  const bytes = Number(size ?? 0);
  return bytes > 0 ? { oid, bytes } : undefined;
}

/** Returns where a bare repository has a large file. */
export const largeFileName = ({ oid }: Pick<LargeFile, "oid">): string =>
  `lfs/objects/${oid.slice(0, 2)}/${oid.slice(2, 4)}/${oid}`;

export const isLargeFileName = (name: string): boolean => {
  const [oid] = /[0-9a-f]{64}$/.exec(name) ?? [];
  return oid !== undefined && name === largeFileName({ oid });
};
