import { isRecordName } from "../chain/record.ts";
import { type DeltaFile, type Manifest, noDelta } from "./manifest.ts";
import { altered, foreign, missing } from "./read-delta.ts";
import type { DeltaStep, Payload } from "./step.ts";

/**
 * Checks that a delta announces exactly what its records name, in their order.
 * @returns each file with what its record says
 * @throws StoreError
 */
export function checkPayload({ files }: Manifest, steps: readonly DeltaStep[]): [DeltaFile, Payload][] {
  const named = new Map(steps.flatMap(({ step }) => step.payload.map((file) => [file.name, file])));
  const announced = files.filter(({ name }) => !isRecordName(name));
  const pairs = announced.map((file): [DeltaFile, Payload] => {
    const payload = named.get(file.name);
    if (payload === undefined) throw foreign(file.name, "no record names it");
    const { bytes, sha256 } = payload;
    if ((bytes !== null && bytes !== file.bytes) || (sha256 !== null && sha256 !== file.sha256))
      throw altered(file.name, "is announced with another size or hash than its record has");
    return [file, payload];
  });
  const names = new Set(announced.map(({ name }) => name));
  for (const name of named.keys())
    if (!names.has(name)) throw missing(`${name} is missing, which a record names`);
  const order = [...named.keys()];
  if (announced.some(({ name }, index) => name !== order[index])) throw noDelta("its files are not in order");
  return pairs;
}
