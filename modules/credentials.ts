import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { Construct } from "constructs";
import type { Repository } from "./repository.ts";

/** Where one `user:password` lies, and how the worker is told of it. */
export interface Place {
  /** The host, or the repository that has one of its own. */
  readonly key: string;
  /** Path of its SSM parameter below `/<stack name>/`; a part that begins with `_` is never a repository's name. */
  readonly path: string;
  /** The environment variable that hands it to the worker. */
  readonly variable: string;
}

/** The credentials that a repository is fetched with, if it needs any. */
export function placeOf({ name, url, credentials }: Repository): Place | undefined {
  if (!url || !credentials) return undefined;
  const { host } = new URL(url);
  const key = credentials === "host" ? host : name;
  return {
    key,
    path: credentials === "host" ? `_credentials/${host.replace(":", "_")}` : `${name}/_credentials`,
    variable: `GIT_HTTP_CREDENTIALS_${key.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()}`,
  };
}

export interface CredentialsProps {
  /** The stack's name, with which every parameter's name begins. */
  readonly name: string;
  readonly repositories: readonly Repository[];
  /** ARN of the KMS key that encrypts them. @default - the account's own key for SSM */
  readonly kmsKey?: string;
}

/** The SecureString parameters for credentials: made here, filled in by hand, never seen by Terraform again. */
export class Credentials extends Construct {
  /** What was made, by environment variable, in order of that name. */
  readonly all: ReadonlyMap<string, { readonly key: string; readonly name: string; readonly arn: string }>;

  constructor(scope: Construct, id: string, props: CredentialsProps) {
    super(scope, id);
    const places = new Map<string, Place>();
    for (const repository of props.repositories) {
      const place = placeOf(repository);
      if (place) places.set(place.variable, place);
    }
    const sorted = [...places.values()].sort((a, b) => (a.variable < b.variable ? -1 : 1));
    this.all = new Map(
      sorted.map(({ key, path, variable }) => {
        const name = `/${props.name}/${path}`;
        const parameter = new SsmParameter(this, key.replace(/[^A-Za-z0-9-]/g, "_"), {
          name,
          description: `user:password for ${key}, set by hand; "-" means none`,
          type: "SecureString",
          keyId: props.kmsKey,
          // Write-only, and written once: with an ordinary value that Terraform ignores, the next refresh would copy the
          // credential that was set by hand into the state.
          valueWo: "-",
          valueWoVersion: 1,
        });
        return [variable, { key, name, arn: parameter.arn }];
      }),
    );
  }
}
