/** Where a repository's last collected commit is kept. */
export interface CursorStore {
  /** @throws CursorError if it cannot be read, or is no commit id; undefined only where there is surely none */
  read(): Promise<Cursor | undefined>;
  /** Moves the cursor on from what was read. @throws CursorError if it cannot be written, or was moved meanwhile */
  move(from: Cursor | undefined, to: string): Promise<void>;
}

export interface Cursor {
  readonly commit: string;
  /** Counts the writes, from 1; 0 where the store does not count. */
  readonly version: number;
  /** Of this very write: a parameter that is deleted and made again counts from 1 again, but has another identity. */
  readonly identity: string;
}

/** Where a repository's diffs and step records are kept. All names are below the repository's place. */
export interface ObjectStore {
  /**
   * Stores an object, whole or not at all: it appears only once `body` has come to its end.
   * @throws StoreError, or whatever `body` throws
   */
  put(name: string, body: AsyncIterable<Uint8Array>, details: ObjectDetails): Promise<void>;
  /** A small object's text, and the tag of this very version. @throws StoreError */
  get(name: string): Promise<Tagged | undefined>;
  /**
   * Stores a small object if it is not there yet (no `tag`) or still the version of this tag; gives the new tag, and
   * undefined if it is not so. @throws StoreError
   */
  putIf(
    name: string,
    text: string,
    tag: string | undefined,
    details: ObjectDetails,
  ): Promise<string | undefined>;
  /** The objects whose names begin so, by name, from the first one after `after` on. @throws StoreError */
  list(prefix: string, after?: string): AsyncIterable<ListedObject>;
  /** The bytes of an object. @throws StoreError */
  read(name: string): AsyncIterable<Uint8Array>;
  /** What a person would call the object's place. */
  place(name: string): string;
}

export interface Tagged {
  readonly text: string;
  readonly tag: string;
}

export interface ListedObject {
  readonly name: string;
  readonly bytes: number;
}

export interface ObjectDetails {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Stores {
  readonly cursor: CursorStore;
  readonly objects: ObjectStore;
}
