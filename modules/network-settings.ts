import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { z } from "zod";

/** Checks a VPC's block of addresses. Returns what is wrong with it and what to write instead, or undefined if it is valid. */
export function cidrBlock(text: string): string | undefined {
  const [, address = "", size = ""] = /^(\d+\.\d+\.\d+\.\d+)\/(\d+)$/.exec(text) ?? [];
  const bits = Number(size);
  const parts = address.split(".").map(Number);
  // A VPC has /16 to /28: https://docs.aws.amazon.com/vpc/latest/userguide/vpc-cidr-blocks.html. Its halves are the subnets.
  if (parts.length !== 4 || parts.some((part) => part > 255) || bits < 16 || bits > 27) {
    return 'is not a block of IPv4 addresses from /16 to /27; use one such as "10.0.0.0/24"';
  }
  const start = toNumber(address) - (toNumber(address) % 2 ** (32 - bits));
  return start === toNumber(address)
    ? undefined
    : `does not begin where a block of its size does; use "${toAddress(start)}/${bits}"`;
}

/** Returns the two halves of a block of addresses. */
export function halves(cidr: string): readonly string[] {
  const [address = "", size = ""] = cidr.split("/");
  const bits = Number(size) + 1;
  return [0, 2 ** (32 - bits)].map((offset) => `${toAddress(toNumber(address) + offset)}/${bits}`);
}

const toNumber = (address: string) => address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toAddress = (number: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");

/** Reads a file of certificates in PEM. A relative path begins at the folder of cdktf.json. */
export function certificates(path: string, context: z.core.$RefinementCtx<string>): string {
  try {
    const found = readFileSync(resolve(path), "utf8").match(
      /-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]+-----END CERTIFICATE-----/g,
    );
    const text = found && `${found.join("\n")}\n`;
    // It is in the task definition twice, for git hosts and for AWS.
    if (text && text.length > 16 * 1024) {
      context.addIssue("has more than 16 KiB of certificates; keep only those of your own authority");
      return z.NEVER;
    }
    if (text) return text;
    context.addIssue("has no certificate in PEM; use the file of your authority, such as acme-ca.pem");
  } catch {
    context.addIssue("cannot be read; write the path of a file beside cdktf.json, such as acme-ca.pem");
  }
  return z.NEVER;
}
