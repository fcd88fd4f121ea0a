import { GetParameterCommand, PutParameterCommand, SSMClient } from "@aws-sdk/client-ssm";
import { asCommit } from "./cursor.ts";
import { CursorError } from "./errors.ts";
import type { Cursor, CursorStore } from "./stores.ts";

export function openSsm(environment: Readonly<Record<string, string | undefined>>): SSMClient {
  // Parameter Store takes some three writes a second by default: many repositories have to wait for their turn.
  return new SSMClient(environment.AWS_MAX_ATTEMPTS ? {} : { maxAttempts: 10 });
}

/** A cursor in the SSM parameter `name`, its value a plain commit id. */
export function ssmCursor(client: SSMClient, name: string, abortSignal: AbortSignal): CursorStore {
  const read = async (): Promise<Cursor | undefined> => {
    try {
      const { Parameter } = await client.send(new GetParameterCommand({ Name: name, WithDecryption: true }), {
        abortSignal,
      });
      return { commit: asCommit(name, Parameter?.Value ?? ""), version: String(Parameter?.Version) };
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
      // Parameter Store has no conditional write: this narrows the race, and creating never overwrites.
      if (from !== undefined && (await read())?.version !== from.version) throw moved(name);
      try {
        const how =
          from === undefined ? ({ Type: "String", Overwrite: false } as const) : { Overwrite: true };
        await client.send(new PutParameterCommand({ Name: name, Value: to, ...how }), { abortSignal });
      } catch (error) {
        abortSignal.throwIfAborted();
        if ((error as Error).name === "ParameterAlreadyExists") throw moved(name);
        throw new CursorError(
          "cursor-unwritable",
          `The cursor ${name} cannot be written: ${(error as Error).name}: ${(error as Error).message}.`,
          "Let the task role ssm:PutParameter it.",
          { cause: error },
        );
      }
    },
  };
}

const moved = (name: string) =>
  new CursorError(
    "cursor-moved",
    `The cursor ${name} was moved by somebody else during the run.`,
    "The next run goes on from where it is now.",
  );
