/** Keeps a repository's cursor: the last collected commit. */
export interface CursorStore {
  /**
   * Reads the cursor. Returns undefined only where the store confirms that there is none.
   * @throws CursorError if it cannot be read, or is no commit id
   */
  read(): Promise<Cursor | undefined>;
  /** Moves the cursor on from what was read. @throws CursorError if it cannot be written, or was moved meanwhile */
  move(from: Cursor | undefined, to: string): Promise<void>;
}

export interface Cursor {
  readonly commit: string;
  /** The number of writes so far, from 1; 0 where the store does not count them. */
  readonly version: number;
  /** Identifies this very write. A cursor that is deleted and recreated has version 1 again, and a new identity. */
  readonly identity: string;
}

/** Keeps a repository's diffs and step records. All names are below the repository's destination. */
export interface ObjectStore {
  /**
   * Stores an object, whole or not at all. It appears only once `body` has ended.
   * Returns false where there is an object of this name, which stays as it is.
   * @throws StoreError, or the error of `body`
   */
  put(name: string, body: AsyncIterable<Uint8Array>, details: ObjectDetails): Promise<boolean>;
  /** Returns a small object, or undefined where there is none. @throws StoreError */
  get(name: string): Promise<VersionedText | undefined>;
  /** Returns an object that fits in memory, or undefined where there is none. @throws StoreError */
  getBytes(name: string): Promise<VersionedBytes | undefined>;
  /**
   * Stores a small object if nothing is there (no `etag`), or if the object still has this ETag.
   * Returns the new ETag, or undefined where the condition does not hold.
   * @throws StoreError
   */
  putIf(
    name: string,
    content: string | Uint8Array,
    etag: string | undefined,
    details: ObjectDetails,
  ): Promise<string | undefined>;
  /** Lists the objects whose names begin with `prefix`, by name; with `after`, only those behind it. @throws StoreError */
  list(prefix: string, after?: string): AsyncIterable<ListedObject>;
  /** Streams the bytes of an object, or a part of them, which begins within it. @throws StoreError */
  read(name: string, part?: ByteRange): AsyncIterable<Uint8Array>;
  /**
   * Returns until when the store refuses to delete this object; undefined where it does not, or does not say so.
   * @throws StoreError
   */
  lockedUntil?(name: string): Promise<Date | undefined>;
  /**
   * Has the store refuse to delete this object until then, unless it does so until `enough` already.
   * Returns until when it does. Undefined where the store has no locks.
   * @throws StoreError
   */
  extendLock?(name: string, enough: Date, until: Date): Promise<Date>;
  /** Returns where the object is, for people: an s3:// address or a path. */
  address(name: string): string;
}

/** Bytes of an object, as many of them as there are. */
export interface ByteRange {
  readonly start: number;
  readonly length: number;
}

export interface VersionedText {
  readonly text: string;
  readonly etag: string;
  /** When the store deletes the object by itself; undefined where it does not, or does not say so. */
  readonly expires?: Date;
}

export interface VersionedBytes {
  readonly bytes: Buffer;
  readonly etag: string;
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
