import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { Construct } from "constructs";
import type { Repository } from "./repository.ts";

/** Where one `user:password` is stored, and which variable passes it to the worker. */
export interface Credential {
  /** The host, or the repository if it has a credential of its own. */
  readonly key: string;
  /** Path of the SSM parameter below `/<stack name>/`. A part that begins with `_` is never a repository's name. */
  readonly path: string;
  /** Name of the worker's environment variable. */
  readonly variable: string;
}

/** Returns the credential that a repository is fetched with, if it needs one. */
export function credentialOf({ name, url, credentials }: Repository): Credential | undefined {
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
  /** ARN of the KMS key that encrypts the parameters. @default - the account's own key for SSM */
  readonly kmsKey?: string;
}

/** SecureString parameters for credentials. Terraform creates them, people set their values, Terraform never reads them. */
export class Credentials extends Construct {
  /** The parameters by environment variable, sorted by that name. */
  readonly parameters: ReadonlyMap<
    string,
    { readonly key: string; readonly name: string; readonly arn: string }
  >;

  constructor(scope: Construct, id: string, props: CredentialsProps) {
    super(scope, id);
    const credentials = new Map<string, Credential>();
    for (const repository of props.repositories) {
      const credential = credentialOf(repository);
      if (credential) credentials.set(credential.variable, credential);
    }
    const sorted = [...credentials.values()].sort((a, b) => (a.variable < b.variable ? -1 : 1));
    this.parameters = new Map(
      sorted.map(({ key, path, variable }) => {
        const name = `/${props.name}/${path}`;
        const parameter = new SsmParameter(this, key.replace(/[^A-Za-z0-9-]/g, "_"), {
          name,
          description: `user:password for ${key}, set by hand; "-" means none`,
          type: "SecureString",
          keyId: props.kmsKey,
          // Write-only, and written once. With an ordinary value under ignore_changes, the next refresh would copy the
          // credential that a person set into the state.
          valueWo: "-",
          valueWoVersion: 1,
        });
        return [variable, { key, name, arn: parameter.arn }];
      }),
    );
  }
}
