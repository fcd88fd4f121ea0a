import { z } from "zod";
import { checked, object, text } from "./schema.ts";

/** One repository as configured. */
export type Repository = z.output<typeof repository>;

export const repository = object({
  name: text(
    /^(?=.{1,100}$)[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*){0,3}$/,
    'cannot be the path of an SSM parameter and an S3 prefix: up to 100 letters, digits, ".", "_", "-", in up to four parts between "/" that each begin with a letter or digit; write "api" or "acme/api"',
  ),
  url: checked(mistakeInUrl).optional(),
  branch: checked(mistakeInBranch).optional(),
  credentials: z
    .literal(
      ["host", "repository"],
      'is not one of "host" (shared with its host\'s other repositories) and "repository" (its own); write one, or remove it for a public repository',
    )
    .optional(),
  create: z.boolean("is not true or false; write true to have CodeCommit make the repository").optional(),
});

// What is checked here is what the worker checks again, and what Terraform would take for its own ${ } and %{ }.

/** https://git-scm.com/docs/git-check-ref-format */
function mistakeInBranch(branch: string): string | undefined {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: the rule forbids them
  if (/^[-/]|[\x00-\x20\x7f~^:?*[\\]|\.\.|@\{|\/\/|\/\.|^\.|\.lock(\/|$)|[./]$|^@?$/.test(branch)) {
    return 'is not a name that git gives a branch; write it as "git branch" prints it, such as "main"';
  }
  return /[$%]\{/.test(branch)
    ? "has ${ or %{ in it, which Terraform would read as its own; rename it"
    : undefined;
}

function mistakeInUrl(url: string): string | undefined {
  const example = 'write it like "https://github.com/acme/api.git"';
  // Not what URL makes of it: it drops blanks and adds slashes, and git is given the text itself.
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they have no place in a URL
  if (/[\x00-\x20\x7f\\{}]/.test(url) || !/^[a-z]+:\/\//i.test(url) || !URL.canParse(url)) {
    return `is not a URL; ${example}`;
  }
  const { protocol, username, password, pathname } = new URL(url);
  if (protocol !== "https:") return `is not HTTPS, and the worker speaks nothing else; ${example}`;
  if (username || password) {
    return 'carries a user or password, which would be readable in the plan and the state; remove it, write "credentials": "host" beside it and set the value with the command that deploy prints';
  }
  if (pathname === "/" || /[?#]/.test(url))
    return `is not a clone URL: a host and a path, no ? or #; ${example}`;
  return undefined;
}

/** The CodeCommit repository of this account that an entry means, if it means one. No region: the stack's own. */
export function codeCommitOf({ name, url }: Repository): { name: string; region?: string } | undefined {
  if (url === undefined) return { name };
  const { hostname, pathname } = new URL(url);
  // The same hosts as the worker's, by way of a VPC endpoint too.
  const host =
    /^(?:vpce-[^.]+\.)?git-codecommit(?:-fips)?\.([a-z0-9-]+)\.(?:vpce\.)?amazonaws\.com(?:\.cn)?$/;
  const region = host.exec(hostname)?.[1];
  const path = /^\/v1\/repos\/([\w.-]+)\/*$/.exec(pathname)?.[1];
  return region && path ? { name: path, region } : undefined;
}
