import type { IncomingHttpHeaders } from "node:http";

/** One call of an AWS API, as the proxy in front of the emulator saw it. */
export interface AwsCall {
  service: string;
  operation: string;
  method: string;
  /** Without the query; for S3 that is `/bucket/key`, percent-encoded as it was sent. */
  path: string;
  query: string;
  headers: IncomingHttpHeaders;
  /** What it was answered with, once it was. */
  status?: number;
}

export function toCall(method: string, target: string, headers: IncomingHttpHeaders): AwsCall {
  const { pathname, search, searchParams } = new URL(target, "http://localhost");
  // The credential scope names the service: Credential=<id>/<day>/<region>/<service>/aws4_request
  const scope = /Credential=[^/]+\/\d+\/[^/]+\/([^/]+)\//.exec(headers.authorization ?? "")?.[1];
  const rpc = /^\w+\.(\w+)$/.exec(String(headers["x-amz-target"] ?? ""))?.[1];
  const cbor = /^\/service\/\w+\/operation\/(\w+)$/.exec(pathname)?.[1];
  const service = scope ?? (rpc || cbor ? "unknown" : "s3");
  const operation =
    rpc ?? cbor ?? (service === "s3" ? s3Operation(method, pathname, searchParams, headers) : "");
  return { service, operation, method, path: pathname, query: search.slice(1), headers };
}

function s3Operation(
  method: string,
  path: string,
  query: URLSearchParams,
  headers: IncomingHttpHeaders,
): string {
  const [, bucket, ...key] = path.split("/");
  if (!bucket) return "ListBuckets";
  if (key.join("") === "") {
    if (method === "GET" && query.get("list-type") === "2") return "ListObjectsV2";
    if (method === "GET") return query.has("uploads") ? "ListMultipartUploads" : "ListObjects";
    if (method === "POST" && query.has("delete")) return "DeleteObjects";
    return { PUT: "CreateBucket", HEAD: "HeadBucket", DELETE: "DeleteBucket" }[method] ?? method;
  }
  if (query.has("uploadId")) {
    const ofUpload: Record<string, string> = {
      PUT: "UploadPart",
      POST: "CompleteMultipartUpload",
      DELETE: "AbortMultipartUpload",
      GET: "ListParts",
    };
    return ofUpload[method] ?? method;
  }
  if (method === "POST" && query.has("uploads")) return "CreateMultipartUpload";
  if (method === "PUT" && headers["x-amz-copy-source"]) return "CopyObject";
  return { PUT: "PutObject", GET: "GetObject", HEAD: "HeadObject", DELETE: "DeleteObject" }[method] ?? method;
}
