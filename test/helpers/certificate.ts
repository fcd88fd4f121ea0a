import { execFile } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { isIP } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";

export interface Certificate extends AsyncDisposable {
  /** The path of the private authority's certificate, for GIT_SSL_CAINFO and its like. */
  ca: string;
  /** PEM, as node:tls takes it. */
  cert: string;
  key: string;
  close(): Promise<void>;
}

/** A private authority, and a server's certificate from it for the given host names and addresses. */
export async function makeCertificate({ names }: { names: readonly string[] }): Promise<Certificate> {
  const folder = await mkdtemp(join(tmpdir(), "certificate-"));
  const at = (name: string) => join(folder, name);
  const openssl = (...args: string[]) => promisify(execFile)("openssl", args);
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const ca = at("ca.pem");
  const authority = ["-subj", "/CN=Test authority", "-addext", "keyUsage=critical,keyCertSign,cRLSign"];
  await openssl("req", "-x509", "-days", "2", ...newKey, ...authority, "-keyout", at("ca.key"), "-out", ca);

  const alternatives = names.map((name) => `${isIP(name) ? "IP" : "DNS"}:${name}`).join(",");
  await writeFile(at("extensions"), `subjectAltName=${alternatives}\nextendedKeyUsage=serverAuth\n`);
  await openssl(
    "req",
    ...newKey,
    "-subj",
    "/CN=Test server",
    "-keyout",
    at("key.pem"),
    "-out",
    at("request.pem"),
  );
  const signedBy = ["-CA", ca, "-CAkey", at("ca.key"), "-CAcreateserial", "-extfile", at("extensions")];
  await openssl("x509", "-req", "-days", "2", "-in", at("request.pem"), ...signedBy, "-out", at("cert.pem"));

  const close = () => rm(folder, { recursive: true, force: true });
  const [cert, key] = await Promise.all([readFile(at("cert.pem"), "utf8"), readFile(at("key.pem"), "utf8")]);
  return { ca, cert, key, close, [Symbol.asyncDispose]: close };
}
