import type { Network } from "./vpc.ts";

/** Returns the command that starts a task now, outside its schedule. */
export function runCommand(
  region: string,
  cluster: string,
  taskDefinition: string,
  network: Network,
): string {
  const configuration = [
    `subnets=[${network.subnetIds.join(",")}]`,
    `securityGroups=[${network.securityGroupIds.join(",")}]`,
    `assignPublicIp=${network.publicIp ? "ENABLED" : "DISABLED"}`,
  ];
  return [
    `aws ecs run-task --region ${region} --cluster ${cluster} --task-definition ${taskDefinition}`,
    `--launch-type FARGATE --network-configuration 'awsvpcConfiguration={${configuration.join(",")}}'`,
  ].join(" ");
}

/** Returns the command that sets a secret. Without `--key-id`, overwriting would go back to the account's own key. */
export function setCommand(
  region: string,
  parameter: string,
  kmsKey: string | undefined,
  value: string,
): string {
  const key = kmsKey ? ` --key-id ${kmsKey}` : "";
  return `aws ssm put-parameter --region ${region} --name ${parameter} --type SecureString${key} --overwrite --value '${value}'`;
}

/** Returns the command that shows a secret. */
export function showCommand(region: string, parameter: string): string {
  return `aws ssm get-parameter --region ${region} --name ${parameter} --with-decryption --query Parameter.Value --output text`;
}

/** Returns the command that subscribes an e-mail address to the alarms. AWS asks that address to confirm. */
export function subscribeCommand(region: string, topicArn: string): string {
  return `aws sns subscribe --region ${region} --topic-arn ${topicArn} --protocol email --notification-endpoint you@example.com`;
}
