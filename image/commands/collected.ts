import { type CompleteStep, isRowsName } from "../chain/record.ts";
import type { Repository } from "../config/repository.ts";
import type { ObjectStore, Stores } from "../stores/stores.ts";
import type { TableRepository } from "../tables/table-repository.ts";

/**
 * What a run knows of the chains that it has looked at, so that their tables need no request for it: the number of the
 * newest step, and the steps that it has completed, with their rows.
 */
export interface Collected {
  readonly size: number;
  /** Returns stores that note what is read and written. */
  note(repository: Repository, stores: Stores): Stores;
  /** Notes the steps that were completed, in their order. */
  completed(repository: Repository, steps: readonly CompleteStep[]): void;
  /** Returns the repositories, as tables see them, with stores that are opened anew. */
  tabled(
    toTable: (repository: Repository, objects: ObjectStore) => TableRepository,
    storesOf: (repository: Repository) => Stores,
  ): TableRepository[];
}

/** In bytes, of all rows together. Others are read again. */
const mostRows = 16 * 1024 * 1024;

export function openCollected(): Collected {
  /** Undefined where the number is not known. */
  const last = new Map<Repository, number | undefined>();
  const steps = new Map<Repository, readonly CompleteStep[]>();
  const rows = new Map<Repository, Map<string, Buffer>>();
  let bytes = 0;
  return {
    get size() {
      return last.size;
    },
    note(repository, { cursor, objects }) {
      return {
        objects: {
          ...objects,
          async putIf(name, content, etag, details) {
            if (isRowsName(name) && typeof content !== "string" && bytes + content.length <= mostRows) {
              bytes += content.length;
              const known = rows.get(repository) ?? new Map<string, Buffer>();
              rows.set(repository, known.set(name, Buffer.from(content)));
            }
            return objects.putIf(name, content, etag, details);
          },
        },
        cursor: {
          async read() {
            const found = await cursor.read();
            last.set(repository, found?.version || undefined);
            return found;
          },
          async move(from, to) {
            await cursor.move(from, to);
            last.set(repository, undefined);
          },
        },
      };
    },
    completed: (repository, completed) => void steps.set(repository, completed),
    tabled: (toTable, storesOf) =>
      [...last].map(([repository, last]) => {
        const { objects } = storesOf(repository);
        const known = rows.get(repository);
        const table = toTable(repository, {
          ...objects,
          read(name, part) {
            const content = part === undefined ? known?.get(name) : undefined;
            return content ? only(content) : objects.read(name, part);
          },
        });
        return { ...table, last, completed: steps.get(repository) };
      }),
  };
}

async function* only(content: Buffer) {
  yield content;
}
