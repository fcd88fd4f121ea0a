import type { SchemaElement } from "hyparquet-writer";
import type { Column, Columns } from "./schema.ts";

/** Returns the columns of a table as Parquet describes them: https://parquet.apache.org/docs/file-format/types/logicaltypes/ */
export function parquetSchema(columns: Columns): SchemaElement[] {
  const children = Object.entries(columns).flatMap(([name, column]) => elementsOf(name, column));
  return [{ name: "root", num_children: Object.keys(columns).length }, ...children];
}

const text = { type: "BYTE_ARRAY", converted_type: "UTF8", logical_type: { type: "STRING" } } as const;

function elementsOf(name: string, { type, required }: Column): SchemaElement[] {
  const element = { name, repetition_type: required ? "REQUIRED" : "OPTIONAL" } as const;
  switch (type) {
    case "string":
      return [{ ...element, ...text }];
    case "strings":
      return [
        { ...element, num_children: 1, converted_type: "LIST", logical_type: { type: "LIST" } },
        { name: "list", repetition_type: "REPEATED", num_children: 1 },
        { name: "element", repetition_type: "REQUIRED", ...text },
      ];
    case "int":
      return [{ ...element, type: "INT32" }];
    case "bigint":
      return [{ ...element, type: "INT64" }];
    case "boolean":
      return [{ ...element, type: "BOOLEAN" }];
    case "date":
      return [{ ...element, type: "INT32", converted_type: "DATE", logical_type: { type: "DATE" } }];
    case "timestamp":
      return [
        {
          ...element,
          type: "INT64",
          converted_type: "TIMESTAMP_MILLIS",
          logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MILLIS" },
        },
      ];
  }
}
