import { SsmParameter } from "@cdktf/provider-aws/lib/ssm-parameter";
import { Construct } from "constructs";
import type { Repository } from "./repository.ts";

/** Where one credential is stored, and which variable passes it to the worker. */
export interface Credential {
  /** The host, the repository if it has a credential of its own, or the ARN of a secret that exists already. */
  readonly key: string;
  /**
   * Path of the SSM parameter below `/<stack name>/`. A part that begins with `_` is never a repository's name.
   * Undefined for a secret that exists already.
   */
  readonly path?: string;
  /** Name of the worker's environment variable. */
  readonly variable: string;
}

/** A secret that ECS passes to the worker. */
export interface Secret {
  readonly key: string;
  /** Name of the SSM parameter, if the stack creates it. */
  readonly name?: string;
  readonly arn: string;
}

/** Returns the credential that a repository is fetched with, if it needs one. */
export function credentialOf({ name, url, credentials }: Repository): Credential | undefined {
  if (!url || !credentials) return undefined;
  const variable = (key: string) => `GIT_HTTP_CREDENTIALS_${key.replace(/[^A-Za-z0-9]/g, "_").toUpperCase()}`;
  if (credentials === "repository")
    return { key: name, path: `${name}/_credentials`, variable: variable(name) };
  const { host } = new URL(url);
  if (credentials === "host") {
    return { key: host, path: `_credentials/${host.replace(":", "_")}`, variable: variable(host) };
  }
  // From `secret:` or `parameter/` on.
  return { key: credentials, variable: variable(credentials.split(":").slice(5).join(":")) };
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
  /** The secrets by environment variable, sorted by that name. */
  readonly secrets: ReadonlyMap<string, Secret>;

  constructor(scope: Construct, id: string, props: CredentialsProps) {
    super(scope, id);
    const credentials = new Map<string, Credential>();
    for (const repository of props.repositories) {
      const credential = credentialOf(repository);
      if (credential) credentials.set(credential.variable, credential);
    }
    const sorted = [...credentials.values()].sort((a, b) => (a.variable < b.variable ? -1 : 1));
    this.secrets = new Map(sorted.map((credential) => [credential.variable, this.secret(credential, props)]));
  }

  private secret({ key, path }: Credential, props: CredentialsProps): Secret {
    if (path === undefined) return { key, arn: key };
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
      // To change the key, Terraform would have to write the value again, which it does not know. The command that sets
      // a credential names the key.
      lifecycle: { ignoreChanges: ["key_id"] },
    });
    return { key, name, arn: parameter.arn };
  }
}
