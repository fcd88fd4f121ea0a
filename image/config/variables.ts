/** The variables that the worker reads. The AWS SDK's, and git's for proxies and certificates, are not among them. */
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
