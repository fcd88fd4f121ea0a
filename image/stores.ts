/** Where a repository's last collected commit is kept. */
export interface CursorStore {
  /** @throws CursorError if it cannot be read, or is no commit id; undefined only where there is surely none */
  read(): Promise<Cursor | undefined>;
  /** Moves the cursor on from what was read. @throws CursorError if it cannot be written, or was moved meanwhile */
  move(from: Cursor | undefined, to: string): Promise<void>;
}

export interface Cursor {
  readonly commit: string;
  /** Changes with every write. */
  readonly version: string;
}

/** Where a repository's diffs and step records are kept. */
export interface ObjectStore {
  /**
   * Stores an object, whole or not at all: it appears only once `body` has come to its end.
   * @throws StoreError, or whatever `body` throws
   */
  put(name: string, body: AsyncIterable<Uint8Array>, details: ObjectDetails): Promise<void>;
  /** What a person would call the object's place. */
  place(name: string): string;
}

export interface ObjectDetails {
  readonly contentType: string;
  readonly metadata: Readonly<Record<string, string>>;
}

export interface Stores {
  readonly cursor: CursorStore;
  readonly objects: ObjectStore;
}
