import { z } from "zod";
import { object } from "./schema.ts";

/** How the tables are made. */
export type TablesSettings = z.output<typeof settings>;

const settings = object({
  people: z
    .enum(["hash", "plain", "omit"], 'is none of "hash", "plain" and "omit"; use one of these')
    .default("hash"),
  hunks: z.boolean("is not true or false; use true for a table of hunks").default(false),
});

/** The key `tables`: how tables are made; undefined for none, where it is false. */
export const tablesKey = z
  .preprocess((value) => (value === false ? undefined : value === true ? {} : value), settings.optional())
  .prefault({});
