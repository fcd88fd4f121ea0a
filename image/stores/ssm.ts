import {
  GetParameterCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
  SSMClient,
} from "@aws-sdk/client-ssm";
import type { Environment } from "../lib/environment.ts";
import { CursorError } from "../lib/errors.ts";
import { cursorMoved, parseCursor } from "./cursor.ts";
import type { Cursor, CursorStore } from "./stores.ts";

export function openSsm(environment: Environment): SSMClient {
  // Parameter Store accepts some three writes a second by default, so many repositories have to wait their turn.
  return new SSMClient(environment.AWS_MAX_ATTEMPTS ? {} : { maxAttempts: 10 });
}

/** Keeps a cursor in the SSM parameter `name`, as a plain commit id. */
export function ssmCursor(client: SSMClient, name: string, abortSignal: AbortSignal): CursorStore {
  const get = (Name: string) =>
    client.send(new GetParameterCommand({ Name, WithDecryption: true }), { abortSignal });
  const put = async (input: Omit<PutParameterCommandInput, "Name">): Promise<number> => {
    const { Version } = await client.send(new PutParameterCommand({ Name: name, ...input }), { abortSignal });
    if (Version === undefined) throw new Error("Parameter Store returned no version for the write");
    return Version;
  };
  // Every write of a String names the type, so that it can recreate a deleted parameter. A SecureString keeps its key.
  let isString = true;
  const read = async (): Promise<Cursor | undefined> => {
    try {
      const { Value = "", Version = 0, LastModifiedDate, Type } = (await get(name)).Parameter ?? {};
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
        "Allow the task role ssm:GetParameter on it; check the network and Parameter Store's throttling.",
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
        const overwritten = (await get(`${name}:${version - 1}`)).Parameter?.Value ?? to;
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
