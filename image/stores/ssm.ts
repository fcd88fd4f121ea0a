import {
  GetParameterCommand,
  PutParameterCommand,
  type PutParameterCommandInput,
  SSMClient,
} from "@aws-sdk/client-ssm";
import { CursorError } from "../lib/errors.ts";
import { asCommit } from "./cursor.ts";
import type { Cursor, CursorStore } from "./stores.ts";

export function openSsm(environment: Readonly<Record<string, string | undefined>>): SSMClient {
  // Parameter Store takes some three writes a second by default: many repositories have to wait for their turn.
  return new SSMClient(environment.AWS_MAX_ATTEMPTS ? {} : { maxAttempts: 10 });
}

/** A cursor in the SSM parameter `name`, its value a plain commit id. */
export function ssmCursor(client: SSMClient, name: string, abortSignal: AbortSignal): CursorStore {
  const get = (Name: string) =>
    client.send(new GetParameterCommand({ Name, WithDecryption: true }), { abortSignal });
  const put = async (how: Omit<PutParameterCommandInput, "Name">): Promise<number> => {
    const { Version } = await client.send(new PutParameterCommand({ Name: name, ...how }), { abortSignal });
    if (Version === undefined) throw new Error("Parameter Store did not say which version it stored");
    return Version;
  };
  // Told with every write, so that a parameter deleted meanwhile can be made again; a SecureString is left to its key.
  let isString = true;
  const read = async (): Promise<Cursor | undefined> => {
    try {
      const { Value = "", Version = 0, LastModifiedDate, Type } = (await get(name)).Parameter ?? {};
      isString = Type === "String";
      return {
        commit: asCommit(name, Value),
        version: Version,
        identity: `${Version}@${LastModifiedDate?.toISOString()}`,
      };
    } catch (error) {
      if (error instanceof CursorError) throw error;
      abortSignal.throwIfAborted();
      // Only this answer says that there is none; a denied or throttled read must never look like a first run.
      if ((error as Error).name === "ParameterNotFound") return undefined;
      throw new CursorError(
        "cursor-unreadable",
        `The cursor ${name} cannot be read: ${(error as Error).name}: ${(error as Error).message}.`,
        "Let the task role ssm:GetParameter it, and look at the network and the throttling of Parameter Store.",
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
        // Parameter Store has no conditional write, but numbers them: a write that was overtaken shows afterwards.
        const version = await put({ Value: to, Overwrite: true, ...(isString && { Type: "String" }) });
        // The first one: it was deleted meanwhile, and this write has made it again.
        if (version === from.version + 1 || version === 1) return;
        const theirs = (await get(`${name}:${version - 1}`)).Parameter?.Value ?? to;
        // The same value is this very write, sent again because its answer was lost; the one from before is another's.
        if (theirs === to || theirs === from.commit) return;
        await put({ Value: theirs, Overwrite: true });
      } catch (error) {
        abortSignal.throwIfAborted();
        if ((error as Error).name !== "ParameterAlreadyExists") {
          throw new CursorError(
            "cursor-unwritable",
            `The cursor ${name} cannot be written: ${(error as Error).name}: ${(error as Error).message}.`,
            "Let the task role ssm:PutParameter it.",
            { cause: error },
          );
        }
        if ((await read())?.commit === to) return;
      }
      throw moved(name);
    },
  };
}

const moved = (name: string) =>
  new CursorError(
    "cursor-moved",
    `The cursor ${name} was moved by somebody else during the run.`,
    "The next run goes on from where it is now.",
  );
