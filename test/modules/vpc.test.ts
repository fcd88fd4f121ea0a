import { expect, test } from "bun:test";
import { SMALLEST, Template } from "../helpers/template.ts";

const url = (port: number) => ({ name: `on-${port}`, url: `https://git.acme.com:${port}/x.git` });

test("two public subnets share the network, in two zones, and hand out no addresses of their own", () => {
  const { json } = new Template(SMALLEST);
  const subnets = Object.values(json.resource.aws_subnet ?? {});
  expect(subnets.map(({ cidr_block }) => cidr_block)).toEqual(["10.0.0.0/25", "10.0.0.128/25"]);
  expect(new Set(subnets.map(({ availability_zone }) => availability_zone)).size).toBe(2);
  expect(subnets.filter((subnet) => "map_public_ip_on_launch" in subnet)).toEqual([]);
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
    ).map(({ ip_protocol, from_port, to_port }) => [ip_protocol, from_port, to_port]);
  expect(rules([{ name: "legacy" }, url(443)])).toEqual([["tcp", 443, 443]]);
  expect(rules([url(8443), url(443), { ...url(8443), name: "again" }])).toEqual([
    ["tcp", 443, 443],
    ["tcp", 8443, 8443],
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
