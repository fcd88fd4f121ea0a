import { afterAll, beforeAll, expect, setDefaultTimeout, test } from "bun:test";
import { uploadPack } from "../../../image/git/upload-pack.ts";
import { openConnection } from "../../../image/host/connection.ts";
import type { Transport } from "../../../image/host/transport.ts";
import { GitError } from "../../../image/lib/errors.ts";
import { makeRepository, type Repository } from "../../fixtures/repository.ts";

setDefaultTimeout(60_000);
let repository: Repository;
let commits: string[];
beforeAll(async () => {
  repository = await makeRepository();
  for (const content of ["one", "two", "three"]) {
    await repository.write("file", `${content}\n`);
    await repository.commit();
  }
  commits = (await repository.git("rev-list", "HEAD")).split("\n");
});
afterAll(() => repository[Symbol.asyncDispose]());

const { signal } = new AbortController();
const collect = async (source: AsyncIterable<Uint8Array>) => Buffer.concat(await Array.fromAsync(source));

/** A transport that answers with recorded answers, each cut off after some bytes. */
function replay(answers: readonly Buffer[], cutAt: number): Transport {
  let number = 0;
  let left = cutAt;
  async function* next() {
    const answer = answers[number++] ?? Buffer.alloc(0);
    const piece = answer.subarray(0, left);
    left -= piece.length;
    if (piece.length > 0) yield piece;
  }
  return { advertise: async () => next(), post: async () => next(), redact: (text) => text };
}

/** Reads the refs, and a pack. */
async function converse(transport: Transport) {
  const connection = openConnection(transport, signal, undefined);
  const refs = await connection.refs("refs/heads/");
  const [to = "", , from = ""] = commits;
  const { shallow, pack } = await connection.fetch({ want: [from, to], depth: 1 }, signal);
  return { refs, shallow: shallow.length, pack: (await collect(pack)).subarray(0, 4).toString() };
}

test.each([
  ["version=2", 3],
  ["version=1", 2],
  ["version=0", 2],
])("an answer that is cut at any byte is an error (%s)", async (protocol, requests) => {
  const answers: Buffer[] = [];
  const real = uploadPack(await repository.git("rev-parse", "--absolute-git-dir"), protocol);
  const recording: Transport = {
    advertise: async (signal) => record(real.advertise(signal)),
    post: async (body, signal) => record(real.post(body as Uint8Array, signal)),
    redact: (text) => text,
  };
  async function* record(answer: Promise<AsyncIterable<Uint8Array>>) {
    const bytes = await collect(await answer);
    answers.push(bytes);
    yield bytes;
  }
  const expected = { shallow: 2, pack: "PACK" };
  const whole = await converse(recording);
  expect(whole).toMatchObject({
    ...expected,
    refs: expect.arrayContaining([expect.objectContaining({ name: "refs/heads/main", commit: commits[0] })]),
  });
  expect(answers).toHaveLength(requests);
  expect(await converse(replay(answers, Number.POSITIVE_INFINITY))).toEqual(whole);
  const bytes = answers.reduce((sum, { length }) => sum + length, 0);
  for (let at = 0; at < bytes; at++) {
    const error = await converse(replay(answers, at)).catch((error) => error);
    if (!(error instanceof GitError)) throw new Error(`Cut at ${at} of ${bytes}, there is no error.`);
    expect(error.code).toMatch(/^git-(cut-off|not-found)$/);
  }
});
