import { type CompleteStep, parseRecord, recordName, type StepRecord } from "../chain/record.ts";
import { checkConsistency, checkLink } from "../verify/check-record.ts";
import type { Follow } from "./step.ts";

/** Checks the records of a chain of diffs. It may begin later than with the first one: old steps expire. */
export function followDiffs(): Follow {
  let before: CompleteStep | undefined;
  return ({ name, text }, broken) => {
    const record = parse(text);
    if (record === undefined) throw broken("is no record of a step of this version");
    if (recordName(record.number) !== name) throw broken("has the number of another record");
    const previous = before && recordName(before.number);
    if (previous !== undefined && record.previous !== previous)
      throw broken(`follows ${record.previous}, not ${previous}`);
    const finding = (before && checkLink(record, before)) ?? checkConsistency(record);
    if (finding) throw broken(`does not fit: ${finding.message.replace(/\.$/, "")}`);
    if (record.state === "claimed") return undefined;
    before = record;
    const { number, from, to, kind, diff, bytes, sha256, rows } = record;
    const metadata = { from, to, kind };
    const details = { contentType: "text/x-diff", metadata };
    return {
      number,
      to,
      details: { contentType: "application/json", metadata },
      payload: [
        ...(diff === null ? [] : [{ name: diff, bytes, sha256, details }]),
        ...(rows ? [{ name: rows.name, bytes: rows.bytes, sha256: rows.sha256, details: rowsDetails }] : []),
      ],
    };
  };
}

const rowsDetails = { contentType: "application/gzip", metadata: {} };

function parse(text: string): StepRecord | undefined {
  try {
    return parseRecord(text);
  } catch {
    return undefined;
  }
}
