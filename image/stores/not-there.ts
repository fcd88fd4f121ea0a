import { StoreError } from "../lib/errors.ts";

/** Returns the error of an object that is read, as something else names it, and is missing. */
export const notThere = (address: string, options?: ErrorOptions) =>
  new StoreError(
    "object-missing",
    `${address} is missing, although it is named as stored.`,
    "Restore it from the bucket's versions or a backup; verify shows what else is missing.",
    options,
  );
