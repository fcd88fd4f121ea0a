import { expect, test } from "bun:test";
import { ref, SMALLEST, Template } from "../fixtures/template.ts";

const url = (port: number) => ({ name: `on-${port}`, url: `https://git.acme.com:${port}/x.git` });

test("two public subnets share the network, in two zones, and hand out no addresses of their own", () => {
  const { json } = new Template(SMALLEST);
  const subnets = Object.values(json.resource.aws_subnet ?? {});
  expect(subnets.map(({ cidr_block }) => cidr_block)).toEqual(["10.0.0.0/25", "10.0.0.128/25"]);
  expect(new Set(subnets.map(({ availability_zone }) => availability_zone)).size).toBe(2);
  expect(subnets.filter((subnet) => "map_public_ip_on_launch" in subnet)).toEqual([]);
});

test("both subnets have the way to the internet, and one to S3 that leaves it out", () => {
  const template = new Template(SMALLEST);
  const [vpc_id, route_table_id] = [ref("aws_vpc.vpc.id"), ref("aws_route_table.vpc_public.id")];
  expect(template.get("aws_route_table.vpc_public")).toMatchObject({
    vpc_id,
    route: [{ cidr_block: "0.0.0.0/0", gateway_id: ref("aws_internet_gateway.vpc_internet.id") }],
  });
  for (const letter of ["a", "b"]) {
    expect(template.get(`aws_route_table_association.vpc_routes-${letter}`)).toMatchObject({
      subnet_id: ref(`aws_subnet.vpc_public-${letter}.id`),
      route_table_id,
    });
  }
  expect(template.get("aws_vpc_endpoint.vpc_s3")).toMatchObject({
    vpc_id,
    service_name: "com.amazonaws.eu-west-1.s3",
    vpc_endpoint_type: "Gateway",
    route_table_ids: [route_table_id],
  });
  expect(template.get("aws_vpc.vpc")).toMatchObject({ enable_dns_support: true, enable_dns_hostnames: true });
  // Local zones, which an account may have opted into, do not run Fargate.
  const filter = [{ name: "opt-in-status", values: ["opt-in-not-required"] }];
  expect(template.json.data.aws_availability_zones?.vpc_zones).toMatchObject({ filter });
});

test("what is reached by default is closed, and nothing reaches a task", () => {
  const template = new Template(SMALLEST);
  const closed = template.get("aws_default_security_group.vpc_closed");
  for (const group of [closed, template.get("aws_security_group.vpc_task")]) {
    expect(group).not.toHaveProperty("ingress");
    expect(group).not.toHaveProperty("egress");
  }
  expect(JSON.stringify(template.json)).not.toContain("ingress_rule");
});

test("tasks reach HTTPS, and the ports that URLs name, each by a rule of its own", () => {
  const rules = (repositories: object[]) =>
    Object.values(
      new Template({ ...SMALLEST, repositories }).json.resource.aws_vpc_security_group_egress_rule ?? {},
    ).map(({ ip_protocol, from_port, to_port, cidr_ipv4 }) => [ip_protocol, from_port, to_port, cidr_ipv4]);
  expect(rules([{ name: "legacy" }, url(443)])).toEqual([["tcp", 443, 443, "0.0.0.0/0"]]);
  expect(rules([url(8443), url(443), { ...url(8443), name: "again" }])).toEqual([
    ["tcp", 443, 443, "0.0.0.0/0"],
    ["tcp", 8443, 8443, "0.0.0.0/0"],
  ]);
});

test.each([true, false])("an existing network is used as it is, with a public address: %p", (publicIp) => {
  const network = { subnets: ["subnet-01234567"], securityGroups: ["sg-01234567"], publicIp };
  const template = new Template({ ...SMALLEST, network });
  expect(
    template.addresses.filter((address) => /vpc|subnet|security_group|route|internet/.test(address)),
  ).toEqual([]);
  const { target } = template.get("aws_scheduler_schedule.schedule-all") as { target: { input: string } };
  expect(JSON.parse(target.input).NetworkConfiguration.AwsvpcConfiguration).toEqual({
    Subnets: ["subnet-01234567"],
    SecurityGroups: ["sg-01234567"],
    AssignPublicIp: publicIp ? "ENABLED" : "DISABLED",
  });
});

test("the two subnets are the halves of the configured addresses", () => {
  const blocks = (cidr?: string) => {
    const found = new Template({ ...SMALLEST, vpc: { cidr } });
    const subnets = ["a", "b"].map((letter) => found.get(`aws_subnet.vpc_public-${letter}`).cidr_block);
    return [found.get("aws_vpc.vpc").cidr_block, ...subnets];
  };
  expect(blocks()).toEqual(["10.0.0.0/24", "10.0.0.0/25", "10.0.0.128/25"]);
  expect(blocks("172.31.0.0/16")).toEqual(["172.31.0.0/16", "172.31.0.0/17", "172.31.128.0/17"]);
  expect(blocks("10.1.2.224/27")).toEqual(["10.1.2.224/27", "10.1.2.224/28", "10.1.2.240/28"]);
});

test("a flow log is kept where it is asked for, by a role that can write nothing else", () => {
  const logged = new Template({ ...SMALLEST, vpc: { flowLogs: true }, logRetentionDays: 90 });
  expect(logged.get("aws_flow_log.flow-logs")).toMatchObject({
    vpc_id: ref("aws_vpc.vpc.id"),
    traffic_type: "ALL",
    log_destination: ref("aws_cloudwatch_log_group.flow-logs_log.arn"),
    iam_role_arn: ref("aws_iam_role.flow-logs_role.arn"),
  });
  expect(logged.get("aws_cloudwatch_log_group.flow-logs_log")).toMatchObject({
    name: "/vpc/git-diff",
    retention_in_days: 90,
  });
  const [write] = logged.statements("aws_iam_policy.flow-logs_role_1");
  expect(write?.Resource).toEqual([`${ref("aws_cloudwatch_log_group.flow-logs_log.arn")}:*`]);
});
