import type { AwsCall } from "./operation.ts";

/**
 * What goes wrong. Whatever has `after` (or is so named) goes wrong once the emulator has done its part: the effect
 * is there, and only the answer is lost or turned into an error.
 */
export type Fault =
  | "reset"
  | "reset-after"
  /** Half of the request's body goes on, then both connections break. */
  | "cut"
  | "hang"
  | "hang-after"
  | { status: number; code: string; message?: string; after?: boolean }
  | { status: 200; body: string; after?: boolean }
  | { delayMs: number; after?: boolean }
  /** Nothing goes wrong by itself: the test does something at this very moment. */
  | { run: (call: AwsCall) => unknown; after?: boolean };

export interface FaultRule {
  operation: string;
  /** Only calls whose path (for S3 `/bucket/key`) contains this. */
  path?: string;
  /** Which of the matching calls from now on, counted from 1; the first unless told. */
  nth?: number | "all";
  how: Fault;
}

export interface Faults {
  fail(rule: FaultRule): void;
  clearFaults(): void;
  /** The fault of this call, which counts as one for every rule it matches. */
  next(call: AwsCall): Fault | undefined;
}

export function makeFaults(): Faults {
  const rules: { rule: FaultRule; seen: number }[] = [];
  return {
    fail: (rule) => void rules.push({ rule, seen: 0 }),
    clearFaults: () => void rules.splice(0),
    next(call) {
      const matching = rules.filter(
        ({ rule }) => rule.operation === call.operation && call.path.includes(rule.path ?? ""),
      );
      for (const each of matching) each.seen++;
      return matching.find(({ rule: { nth = 1 }, seen }) => nth === "all" || nth === seen)?.rule.how;
    },
  };
}

export function isAfter(fault: Fault): boolean {
  return typeof fault === "string" ? fault.endsWith("-after") : fault.after === true;
}

/** The error as the service itself would put it. */
export function errorAnswer(call: AwsCall, code: string, message: string): { type: string; body: string } {
  if (call.service === "s3") {
    const body = `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message><RequestId>fault</RequestId></Error>`;
    return { type: "application/xml", body: call.method === "HEAD" ? "" : body };
  }
  return { type: "application/x-amz-json-1.1", body: JSON.stringify({ __type: code, message }) };
}
