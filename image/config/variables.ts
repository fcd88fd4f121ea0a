/** Every variable that the worker reads, besides the AWS SDK's and git's own for proxies and certificates. */
export const variables = {
  gitRepo: "GIT_REPO",
  gitBranch: "GIT_BRANCH",
  parameterName: "PARAMETER_NAME",
  resultsBucket: "RESULTS_BUCKET",
  gitHttpCredentials: "GIT_HTTP_CREDENTIALS",
  repositories: "REPOSITORIES",
  concurrency: "CONCURRENCY",
  timeoutSeconds: "REPOSITORY_TIMEOUT_SECONDS",
  maxDiffBytes: "MAX_DIFF_BYTES",
  leaseSeconds: "STEP_LEASE_SECONDS",
  onGoneCommit: "ON_GONE_COMMIT",
  binary: "BINARY",
  scheduledTime: "SCHEDULED_TIME",
} as const;

export type Environment = Readonly<Record<string, string | undefined>>;
