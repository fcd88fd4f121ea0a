import { type LargeFile, largeFileName } from "../lfs/pointer.ts";
import { changingState } from "../mirror/changing-state.ts";
import { type MirrorStep, nextMirrorStep, otherState } from "../mirror/read-chain.ts";
import type { MirrorPack } from "../mirror/record.ts";
import type { Follow, Payload } from "./step.ts";

/** Checks the records of a mirror: each names the one before by its hash, and the packs of which its state consists. */
export function followMirror(): Follow {
  let before: MirrorStep | undefined;
  const state = changingState();
  const packs = new Set<string>();
  return ({ name, text }, broken) => {
    const step = nextMirrorStep(before, name, text, broken);
    if (step === undefined) return undefined;
    before = step;
    state.apply(step.record);
    if (state.id() !== step.record.to) throw broken(otherState);
    const { number, from, to, kind, pack, packs: listed, lfs = [] } = step.record;
    if (pack) packs.add(pack.name);
    const unknown = listed.find((name) => !packs.has(name));
    if (unknown !== undefined) throw broken(`lists ${unknown}, which no step up to it has stored`);
    return {
      number,
      to,
      details: { contentType: "application/json", metadata: { from, to, kind } },
      payload: [...(pack ? filesOf(pack) : []), ...lfs.map(payloadOf)],
    };
  };
}

const details = { contentType: "application/octet-stream", metadata: {} };

const payloadOf = (file: LargeFile): Payload => ({
  name: largeFileName(file),
  bytes: file.bytes,
  sha256: file.oid,
  details,
});

/** The index last: a reader that finds it finds the pack. */
function filesOf({ name, bytes, sha256, indexBytes, indexSha256 }: MirrorPack): Payload[] {
  const path = `objects/pack/${name}`;
  return [
    { name: `${path}.pack`, bytes, sha256, details },
    { name: `${path}.idx`, bytes: indexBytes, sha256: indexSha256, details },
  ];
}
