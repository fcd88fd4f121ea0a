import { createHash } from "node:crypto";
import { StoreError } from "../lib/errors.ts";
import {
  type DeltaFile,
  largestTextBytes,
  type Manifest,
  manifestName,
  noDelta,
  parseManifest,
} from "./manifest.ts";
import { carryAgain, readTar, type TarEntry } from "./tar.ts";

/** A delta whose manifest has been read. */
export interface OpenDelta {
  readonly manifest: Manifest;
  /**
   * Reads the next file of the manifest. Fails at its end where its bytes are others.
   * @throws StoreError where the delta has something else there
   */
  next(file: DeltaFile): Promise<AsyncIterable<Uint8Array>>;
  /** Checks that the delta ends. @throws StoreError */
  end(): Promise<void>;
}

/** Reads a delta's manifest. @throws StoreError where it is none */
export async function openDelta(source: AsyncIterable<Uint8Array>): Promise<OpenDelta> {
  const entries = readTar(source);
  const first = await entries.next().catch((error) => {
    throw error instanceof StoreError && error.code === "delta-altered"
      ? noDelta("it is no such archive")
      : error;
  });
  if (first.done || first.value.name !== manifestName)
    throw noDelta(`it does not begin with ${manifestName}`);
  const manifest = parseManifest(await readManifest(first.value));
  const known = new Set(manifest.files.map(({ name }) => name));
  return {
    manifest,
    async next(file) {
      const entry = await entries.next();
      if (entry.done) throw missing(`${file.name} is missing: the delta ends before it`);
      const { name, bytes, body } = entry.value;
      if (name === file.name && bytes === file.bytes) return checked(body, file);
      if (name === file.name) throw altered(name, `is announced with ${file.bytes} bytes, and has ${bytes}`);
      if (known.has(name)) throw missing(`${file.name} is missing, or not at its place: ${name} is there`);
      throw foreign(name);
    },
    async end() {
      const entry = await entries.next();
      if (!entry.done)
        throw known.has(entry.value.name)
          ? missing(`${entry.value.name} is there twice`)
          : foreign(entry.value.name);
    },
  };
}

async function readManifest({ bytes, body }: TarEntry): Promise<string> {
  if (bytes > largestTextBytes) throw noDelta(`its ${manifestName} has ${bytes} bytes`);
  return Buffer.concat(await Array.fromAsync(body)).toString();
}

async function* checked(
  body: AsyncIterable<Uint8Array>,
  { name, sha256 }: DeltaFile,
): AsyncGenerator<Uint8Array, void, void> {
  const hash = createHash("sha256");
  for await (const chunk of body) {
    hash.update(chunk);
    yield chunk;
  }
  const digest = hash.digest("hex");
  if (digest !== sha256) throw altered(name, `has the SHA-256 ${digest} instead of ${sha256}`);
}

export const missing = (problem: string) => new StoreError("delta-missing", `${problem}.`, carryAgain);

export const altered = (name: string, difference: string) =>
  new StoreError("delta-altered", `${name} is not what was exported: it ${difference}.`, carryAgain);

export const foreign = (name: string, reason = "its manifest does not name it") =>
  new StoreError(
    "delta-foreign",
    `${JSON.stringify(name)} does not belong to the delta: ${reason}.`,
    carryAgain,
  );
