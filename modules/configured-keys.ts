import type { Repository } from "./repository.ts";

export interface Problem {
  readonly path: (string | number)[];
  readonly message: string;
}

/** The keys that can contradict each other. Each may be missing or have a wrong type, which is reported elsewhere. */
export interface Keys {
  readonly [key: string]: unknown;
  readonly region?: string;
  readonly image?: string;
  readonly kmsKey?: string;
  readonly cpu?: number;
  readonly memory?: number;
  readonly tags?: Readonly<Record<string, unknown>>;
  readonly repositories?: readonly Repository[];
  readonly name?: string;
  readonly lockDays?: number;
  readonly resultRetentionDays?: number;
  readonly drill?: Drill;
  readonly onPush?: boolean;
  readonly flexibleWindowMinutes?: number;
  readonly collections?: readonly {
    readonly name: string;
    readonly cpu?: number;
    readonly memory?: number;
    readonly drill?: Drill;
    readonly onPush?: boolean;
    readonly flexibleWindowMinutes?: number;
    readonly repositories: readonly Repository[];
  }[];
}

export type Drill = { readonly schedule?: string } | undefined;

/** A repository, and where it is in the configuration. */
export interface Entry {
  readonly repository: Repository;
  readonly path: (string | number)[];
}

export function listEntries({ repositories, collections }: Keys): Entry[] {
  const entriesAt = (path: (string | number)[], list: readonly Repository[] | undefined) =>
    namedObjects(list).map(([index, repository]) => ({ repository, path: [...path, index] }));
  return [
    ...entriesAt(["repositories"], repositories),
    ...namedObjects(collections).flatMap(([index, collection]) =>
      entriesAt(["collections", index, "repositories"], collection.repositories),
    ),
  ];
}

/** The objects with a name in a value that should be a list of them, each with its index. */
export function namedObjects<T extends { readonly name: string }>(
  value: readonly T[] | undefined,
): [number, T][] {
  return Array.isArray(value)
    ? [...value.entries()].filter(([, item]) => typeof item?.name === "string")
    : [];
}

export const isList = (value: unknown): value is readonly unknown[] => Array.isArray(value);

/** Whatever type `collect` has: that is reported elsewhere. */
export const isMirrored = ({ collect }: Repository): boolean =>
  Array.isArray(collect) && collect.includes("mirror");

/** What is wrong with a key that is for mirrors alone. */
export const noMirror = 'has no effect without a mirror; add "collect": ["diffs", "mirror"], or remove it';
