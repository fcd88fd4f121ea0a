/**
 * Matches the ARN of a parameter of SSM or a secret of Secrets Manager that exists already. The latter may be followed by a
 * JSON key, as in `:token::`: https://docs.aws.amazon.com/AmazonECS/latest/developerguide/secrets-envvar-secrets-manager.html
 */
export const secretArn =
  /arn:aws[\w-]*:(?:ssm:[a-z0-9-]+:\d{12}:parameter\/[\w./-]+|secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}(?::[^:\s]*:[\w-]*:[\w-]*)?)/;
