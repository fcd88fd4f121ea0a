import type { Network } from "./vpc.ts";

/** The command that starts a task definition now, outside its schedule. */
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

/** The command that sets a credential. Overwriting without the key would go back to the account's own. */
export function setCommand(region: string, parameter: string, kmsKey: string | undefined): string {
  const key = kmsKey ? ` --key-id ${kmsKey}` : "";
  return `aws ssm put-parameter --region ${region} --name ${parameter} --type SecureString${key} --overwrite --value 'user:password'`;
}

/** The command after which the alarms come by e-mail, once the first mail is answered. */
export function subscribeCommand(region: string, topicArn: string): string {
  return `aws sns subscribe --region ${region} --topic-arn ${topicArn} --protocol email --notification-endpoint you@example.com`;
}
