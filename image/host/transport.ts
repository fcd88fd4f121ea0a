/** git's two programs at the other end: one sends objects, the other one takes them. */
export type Service = "git-upload-pack" | "git-receive-pack";

/** Carries the two kinds of requests of git's stateless protocol, over HTTP or to a process. */
export interface Transport {
  /** Asks what the host can do. @throws GitError */
  advertise(signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Sends one request to the program, and returns its answer. @throws GitError, or the error of `body` */
  post(body: Uint8Array | AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<AsyncIterable<Uint8Array>>;
  /** Removes the credentials that were sent from a text of the host, which may repeat them. */
  redact(text: string): string;
}

/** What git calls itself towards a host. Some hosts answer no other client. */
export const agent = "git/2.47-git-diff-to-s3";
