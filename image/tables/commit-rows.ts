import type { Identity } from "./mailmap.ts";
import type { People } from "./people.ts";
import type { Row, StepColumn } from "./schema.ts";
import { trailersOf } from "./trailers.ts";

/** What a commit shows of itself. The rest of its row is the same for the whole step. */
export type CommitRow = Omit<Row<"commits">, StepColumn>;

/** Makes the row of a commit. @param content the object's bytes */
export function commitRow(id: string, content: Buffer, people: People): CommitRow {
  const end = content.indexOf("\n\n");
  const header = content.toString("latin1", 0, end < 0 ? content.length : end);
  // Only the lines before the first other one: a signature further down may contain anything.
  const [, tree = "", parents = "", author = "", committer = ""] =
    /^tree ([0-9a-f]{40})\n((?:parent [0-9a-f]{40}\n)*)(?:author (.*)\n)?(?:committer (.*))?/.exec(header) ??
    [];
  const encoding = /^encoding (.+)$/m.exec(header)?.[1];
  const message = end < 0 ? "" : decode(content.subarray(end + 2), encoding);
  const [wrote, committed] = [author, committer].map((line) => parseSignature(line, encoding));
  const trailers = trailersOf(message).map(([key, value]) => [key, people.trailer(value)]);
  return {
    commit_id: id,
    tree_id: tree,
    parents: [...parents.matchAll(/[0-9a-f]{40}/g)].map(([parent]) => parent),
    author_id: people.id(wrote) ?? null,
    author_name: people.name(wrote) ?? null,
    author_email: people.email(wrote) ?? null,
    authored_at: wrote?.at ?? null,
    author_tz_minutes: wrote?.zone ?? null,
    committer_id: people.id(committed) ?? null,
    committer_name: people.name(committed) ?? null,
    committer_email: people.email(committed) ?? null,
    committed_at: committed?.at ?? null,
    committer_tz_minutes: committed?.zone ?? null,
    subject: people.subject(subjectOf(message)) ?? null,
    message: people.message(message) ?? null,
    trailers: trailers.length > 0 ? JSON.stringify(trailers) : null,
  };
}

interface Signature extends Identity {
  readonly at: string | null;
  readonly zone: number | null;
}

/** Parses `Name <e-mail> seconds zone`. */
function parseSignature(line: string, encoding: string | undefined): Signature | undefined {
  const [, name = "", email = "", seconds = "", sign, hours, minutes] =
    /^(.*?) ?<(.*)> ?(-?\d{1,15})? ?([+-])?(\d\d)?(\d\d)?/.exec(line) ?? [];
  if (name === "" && email === "") return undefined;
  const zone = sign === undefined ? null : (Number(hours) * 60 + Number(minutes)) * (sign === "-" ? -1 : 1);
  const time = new Date(seconds === "" ? Number.NaN : Number(seconds) * 1_000);
  return {
    name: decode(Buffer.from(name, "latin1"), encoding),
    email: decode(Buffer.from(email, "latin1"), encoding).trim(),
    // Dates beyond these are mistakes, and not all readers of Parquet have them.
    at: time.getTime() >= 0 && time.getUTCFullYear() <= 9999 ? time.toISOString() : null,
    zone: zone === 0 ? 0 : zone,
  };
}

/** Decodes text in a commit's own encoding; what is none of UTF-8 is read as Latin-1, in which every byte is a letter. */
function decode(bytes: Buffer, encoding = "utf-8"): string {
  for (const name of [encoding, "utf-8"]) {
    try {
      return new TextDecoder(name as Bun.Encoding, { fatal: true }).decode(bytes);
    } catch {
      // Not this one, or one that is not known here.
    }
  }
  return bytes.toString("latin1");
}

const subjectOf = (message: string): string =>
  (message.trimStart().split(/\n[ \t]*\n/, 1)[0] ?? "").trim().replace(/\s*\n\s*/g, " ");
