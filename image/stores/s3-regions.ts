import type { S3Client } from "@aws-sdk/client-s3";

/**
 * Returns a client that finds buckets of other regions: S3 answers a request to the wrong one with the right one. Not by the
 * SDK's own `followRegionRedirects`, which fails where requests overlap, and sends each of them twice.
 * @param clientOf returns a client for a region
 */
export function inAnyRegion(client: S3Client, clientOf: (region: string) => S3Client): S3Client {
  const others = new Map<string, S3Client>();
  const regions = new Map<string, string>();
  const clientFor = (bucket: string) => {
    const region = regions.get(bucket);
    if (region === undefined) return client;
    const other = others.get(region) ?? clientOf(region);
    others.set(region, other);
    return other;
  };
  const send = async (...[command, options]: Parameters<S3Client["send"]>) => {
    const { Bucket: bucket = "" } = command.input as { readonly Bucket?: string };
    const used = clientFor(bucket);
    try {
      return await used.send(command, options);
    } catch (error) {
      const region = regionIn(error);
      if (region === undefined || region === (await used.config.region())) throw error;
      regions.set(bucket, region);
      return clientFor(bucket).send(command, options);
    }
  };
  return Object.assign(Object.create(client), { send });
}

/**
 * Returns the region that S3 asks to go to, if it does.
 * https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html: PermanentRedirect, AuthorizationHeaderMalformed
 */
function regionIn(error: unknown): string | undefined {
  const { $metadata, $response } = error as {
    readonly $metadata?: { readonly httpStatusCode?: number };
    readonly $response?: { readonly headers?: Readonly<Record<string, string>> };
  };
  const isElsewhere = [301, 307, 400].includes($metadata?.httpStatusCode ?? 0);
  return isElsewhere ? $response?.headers?.["x-amz-bucket-region"] : undefined;
}
