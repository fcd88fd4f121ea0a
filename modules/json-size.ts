/**
 * Returns the bytes of a JSON text after Terraform has replaced its references. A reference that is a whole value counts
 * as an ARN (at most 150 bytes); one that is a part of a value counts as an account id or the end of a host name.
 */
export function jsonSize(json: string): number {
  return Buffer.byteLength(
    json.replace(/"\$\{[^"]*?\}"/g, "x".repeat(152)).replace(/\$\{.*?\}/g, "x".repeat(13)),
  );
}
