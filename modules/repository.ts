import { z } from "zod";
import { codeCommitRegion } from "../image/host/codecommit.ts";
import { isBranchName } from "../image/host/location.ts";
import { checked, object, text } from "./schema.ts";
import { secretArn } from "./secret-arn.ts";

/** One repository as configured. */
export type Repository = z.output<typeof repository>;

const collectRule = 'is not a list of "diffs" and "mirror"; write ["diffs", "mirror"] for both';
const refsRule =
  'is not a list of beginnings of refs; write ["refs/heads/", "refs/tags/"] for all branches and tags';

export const repository = object({
  name: text(
    /^(?=.{1,100}$)[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*){0,3}$/,
    'cannot be the path of an SSM parameter and an S3 prefix: use up to 100 letters, digits, ".", "_" and "-", in up to four parts between "/", each beginning with a letter or digit, such as "api" or "acme/api"',
  ),
  url: checked(validateUrl).optional(),
  branch: checked(validateBranch).optional(),
  credentials: text(
    new RegExp(`^(host|repository|${secretArn.source})$`),
    'is neither "host" (shared by all repositories of its host) nor "repository" (its own) nor the ARN of a parameter or secret that exists; use one of these, or remove it for a public repository',
  ).optional(),
  create: z.boolean("is not true or false; use true to create the repository in CodeCommit").optional(),
  collect: z
    .array(z.enum(["diffs", "mirror"], collectRule), collectRule)
    .min(1, collectRule)
    .optional(),
  refs: z
    .array(text(/^refs\/[^\s$%]+\/$/, refsRule), refsRule)
    .min(1, refsRule)
    .optional(),
  archiveRefs: z
    .boolean("is not true or false; use true to keep what is taken from refs under refs/archive/")
    .optional(),
  lfs: z.boolean("is not true or false; use false for a mirror without large files (LFS)").optional(),
});

function validateBranch(branch: string): string | undefined {
  const [, alone] = /^refs\/heads\/(.+)$/.exec(branch) ?? [];
  if (alone && isBranchName(alone)) return `is a ref; write the branch alone: ${JSON.stringify(alone)}`;
  if (/^refs\//.test(branch)) return 'is a ref of another kind; write a branch, such as "main"';
  if (branch === "HEAD") return "is what is followed without a branch; remove it";
  if (!isBranchName(branch)) {
    return 'is not a name that git accepts for a branch; write it as "git branch" prints it, such as "main"';
  }
  return /[$%]\{/.test(branch)
    ? "contains ${ or %{, which Terraform would interpret; rename the branch"
    : undefined;
}

/** Checks what the worker checks again, and what Terraform would interpret: `${ }` and `%{ }`. */
function validateUrl(url: string): string | undefined {
  const likely = likelyUrl(url);
  const example = likely ? `write "${likely}"` : 'write it like "https://github.com/acme/api.git"';
  // The text itself is checked, not what URL makes of it: URL drops blanks and adds slashes, and git receives the text.
  if (/[\p{Cc} \\{}]/u.test(url) || !/^[a-z]+:\/\//i.test(url) || !URL.canParse(url)) {
    return `is not a URL; ${example}`;
  }
  const { protocol, username, password, pathname } = new URL(url);
  if (protocol !== "https:") return `is not HTTPS, which is all that the worker supports; ${example}`;
  if (username || password) {
    return 'contains a user or password, which would be readable in the plan and the state; remove it, add "credentials": "host", and set the value with the command that deploy prints';
  }
  if (pathname === "/" || /[?#]/.test(url)) {
    return `is not a clone URL: it needs a host and a path, and no ? or #; ${example}`;
  }
  return likely ? `is a page about the repository, not its clone URL; ${example}` : undefined;
}

/** Returns the clone URL that an SSH address, a URL of another protocol or a page in the browser most likely means. */
function likelyUrl(text: string): string | undefined {
  const [, host, path] =
    /^(?:(?:ssh|git|http):\/\/)?(?:git@)?([\w-]+(?:\.[\w-]+)+)(?::\d+)?[:/]\/?([\w./~-]+)$/i.exec(text) ?? [];
  if (host && path) return `https://${host}/${path}`;
  const [page] = /^https:\/\/(github\.com|bitbucket\.org)\/[\w.-]+\/[\w.-]+(?=\/.)/i.exec(text) ?? [];
  const [project] = /^https:\/\/[\w.-]+\/[\w./-]+(?=\/-\/)/i.exec(text) ?? [];
  const repository = page ?? project;
  return repository && `${repository}.git`;
}

export const hasDiffs = ({ collect = ["diffs"] }: Repository): boolean => collect.includes("diffs");
export const hasMirror = ({ collect = [] }: Repository): boolean => collect.includes("mirror");

/** Returns the CodeCommit repository of this account that an entry refers to, if any. The default region is the stack's. */
export function codeCommitOf({ name, url }: Repository): { name: string; region?: string } | undefined {
  if (url === undefined) return { name };
  const region = codeCommitRegion(url);
  const path = /^\/v1\/repos\/([\w.-]+)\/*$/.exec(new URL(url).pathname)?.[1];
  return region && path ? { name: path, region } : undefined;
}
