import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";

/**
 * Returns the certificates in PEM to trust. Those of a file replace the usual ones, as git and the AWS tools have it. A
 * variable that holds certificates itself, which no other tool knows, adds them: Fargate cannot mount a file, and a
 * company's proxy may intercept the connections to some hosts only.
 */
export function readAuthorities(value: string, context: z.core.$RefinementCtx<string>): string {
  const found = value.includes("-----BEGIN ") ? parse(value) : read(value);
  if ("certificates" in found) return found.certificates;
  context.addIssue(found.problem);
  return z.NEVER;
}

type Found = { readonly certificates: string } | { readonly problem: string };

function read(path: string): Found {
  try {
    const certificates = readFileSync(resolve(path), "utf8");
    if (certificates.includes("-----BEGIN CERTIFICATE-----")) return { certificates };
    return { problem: "must name a file of certificates in PEM; leave it unset for the usual authorities." };
  } catch (error) {
    return { problem: `must name a file that can be read (${(error as Error).message}).` };
  }
}

function parse(text: string): Found {
  const problem =
    "must hold certificates in PEM, from -----BEGIN CERTIFICATE----- to the last line, or name a file of them; leave it unset for the usual authorities.";
  // Line breaks get lost on many ways into a variable.
  const blocks = text
    .replaceAll("\\n", "\n")
    .matchAll(/-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----/gs);
  try {
    const added = [...blocks].map(([, base64 = ""]) =>
      new X509Certificate(Buffer.from(base64, "base64")).toString().trim(),
    );
    if (added.length === 0) return { problem };
    // Not imported above: it takes 20 ms and 8 MB, and is needed here alone.
    const tls = process.getBuiltinModule("node:tls");
    return { certificates: [...tls.getCACertificates("default"), ...added].join("\n") };
  } catch {
    return { problem };
  }
}
