import type { PutParameterCommandInput } from "@aws-sdk/client-ssm";
import { CursorError } from "../lib/errors.ts";
import { cursorMoved, parseCursor } from "./cursor.ts";
import type { ParameterStore } from "./parameter-store.ts";
import type { Cursor, CursorStore } from "./stores.ts";

/** Keeps a cursor in the SSM parameter `name`, as a plain commit id. */
export function ssmCursor(store: ParameterStore, name: string, abortSignal: AbortSignal): CursorStore {
  const put = (input: Omit<PutParameterCommandInput, "Name">): Promise<number> =>
    store.put({ Name: name, ...input }, abortSignal);
  // Every write of a String names the type, so that it can recreate a deleted parameter. A SecureString keeps its key.
  let isString = true;
  const read = async (): Promise<Cursor | undefined> => {
    try {
      const { Value = "", Version = 0, LastModifiedDate, Type } = await store.get(name, abortSignal);
      isString = Type === "String";
      return {
        commit: parseCursor(name, Value),
        version: Version,
        identity: `${Version}@${LastModifiedDate?.toISOString()}`,
      };
    } catch (error) {
      if (error instanceof CursorError) throw error;
      abortSignal.throwIfAborted();
      // Only this answer means that there is none. A denied or throttled read must never look like a first run.
      if ((error as Error).name === "ParameterNotFound") return undefined;
      throw new CursorError(
        "cursor-unreadable",
        `The cursor ${name} cannot be read: ${(error as Error).name}: ${(error as Error).message}.`,
        "Allow the task role ssm:GetParameter and ssm:GetParameters on it; check the network and Parameter Store's throttling.",
        { cause: error },
      );
    }
  };
  return {
    read,
    async move(from, to) {
      try {
        if (from === undefined) {
          await put({ Value: to, Type: "String", Overwrite: false });
          return;
        }
        // Parameter Store has no conditional write, but it numbers the writes. The number shows a write in between.
        const version = await put({ Value: to, Overwrite: true, ...(isString && { Type: "String" }) });
        // Version 1: the parameter was deleted meanwhile, and this write has recreated it.
        if (version === from.version + 1 || version === 1) return;
        const overwritten = (await store.getVersion(name, version - 1, abortSignal)).Value ?? to;
        // `to` is this very write, sent again after its answer was lost. `from` is a write that changed nothing.
        if (overwritten === to || overwritten === from.commit) return;
        await put({ Value: overwritten, Overwrite: true });
      } catch (error) {
        abortSignal.throwIfAborted();
        if ((error as Error).name !== "ParameterAlreadyExists") {
          throw new CursorError(
            "cursor-unwritable",
            `The cursor ${name} cannot be written: ${(error as Error).name}: ${(error as Error).message}.`,
            "Allow the task role ssm:PutParameter on it.",
            { cause: error },
          );
        }
        if ((await read())?.commit === to) return;
      }
      throw cursorMoved(name);
    },
  };
}
