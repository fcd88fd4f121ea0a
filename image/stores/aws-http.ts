import { FetchHttpHandler } from "@smithy/fetch-http-handler";

/**
 * Sends the AWS SDK's requests by Bun's `fetch`, which uses HTTPS_PROXY and NO_PROXY. Node's `http`, the SDK's default, does not.
 * @param authorities certificates in PEM to trust instead of the usual ones
 */
export function awsHttp(authorities: string | undefined): FetchHttpHandler {
  const send = (request: string | URL | Request) =>
    fetch(request, { redirect: "manual", ...(authorities && { tls: { ca: authorities } }) });
  return new FetchHttpHandler({
    keepAlive: true,
    customFetch: Object.assign(send, { preconnect: fetch.preconnect }),
  });
}
