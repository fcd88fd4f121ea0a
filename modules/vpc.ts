import { DataAwsAvailabilityZones } from "@cdktf/provider-aws/lib/data-aws-availability-zones";
import { DefaultSecurityGroup } from "@cdktf/provider-aws/lib/default-security-group";
import { InternetGateway } from "@cdktf/provider-aws/lib/internet-gateway";
import { RouteTable } from "@cdktf/provider-aws/lib/route-table";
import { RouteTableAssociation } from "@cdktf/provider-aws/lib/route-table-association";
import { SecurityGroup } from "@cdktf/provider-aws/lib/security-group";
import { Subnet } from "@cdktf/provider-aws/lib/subnet";
import { Vpc as AwsVpc } from "@cdktf/provider-aws/lib/vpc";
import { VpcEndpoint } from "@cdktf/provider-aws/lib/vpc-endpoint";
import { VpcSecurityGroupEgressRule } from "@cdktf/provider-aws/lib/vpc-security-group-egress-rule";
import { Fn } from "cdktf";
import { Construct } from "constructs";
import type { Configuration } from "./configuration.ts";
import { halves } from "./network-settings.ts";
import type { Repository } from "./repository.ts";

export interface VpcProps {
  /** Name tag and security group name. */
  readonly name: string;
  readonly region: string;
  /** The block of addresses, /27 or larger. */
  readonly cidr: string;
  /** The repositories to fetch. The ports in their URLs are allowed outbound. */
  readonly repositories: readonly Repository[];
}

/** What a task needs to know about its network. */
export interface Network {
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  /** Whether a task gets a public IP address. */
  readonly publicIp: boolean;
  /** The proxy's URL, or the ARN of a secret that holds it. */
  readonly proxy?: string;
  /** Hosts that are reached without the proxy. */
  readonly noProxy?: readonly string[];
}

/** Returns a network that exists already. */
export function existingNetwork(network: NonNullable<Configuration["network"]>): Network {
  return {
    subnetIds: network.subnets,
    securityGroupIds: network.securityGroups,
    publicIp: network.publicIp,
    proxy: network.proxy,
    noProxy: network.noProxy,
  };
}

/**
 * A network for tasks that only connect outwards: two public subnets in two zones, and no inbound rule.
 * The subnets are public because a NAT gateway costs more in a day than the tasks in a year.
 */
export class Vpc extends Construct implements Network {
  readonly id: string;
  readonly subnetIds: readonly string[];
  readonly securityGroupIds: readonly string[];
  readonly publicIp = true;

  constructor(scope: Construct, id: string, props: VpcProps) {
    super(scope, id);
    const tags = { Name: props.name };
    const vpc = new AwsVpc(this, "Default", {
      cidrBlock: props.cidr,
      enableDnsHostnames: true,
      enableDnsSupport: true,
      tags,
    });
    this.id = vpc.id;
    const gateway = new InternetGateway(this, "internet", { vpcId: vpc.id, tags });
    const routes = new RouteTable(this, "public", {
      vpcId: vpc.id,
      route: [{ cidrBlock: "0.0.0.0/0", gatewayId: gateway.id }],
      tags,
    });
    const zones = new DataAwsAvailabilityZones(this, "zones", {
      state: "available",
      // Excludes local and wavelength zones, which an account can opt in to and which do not run Fargate.
      filter: [{ name: "opt-in-status", values: ["opt-in-not-required"] }],
    });
    this.subnetIds = halves(props.cidr).map((cidrBlock, index) => {
      const letter = "ab"[index];
      const subnet = new Subnet(this, `public-${letter}`, {
        vpcId: vpc.id,
        cidrBlock,
        availabilityZone: Fn.element(zones.names, index),
        tags: { Name: `${props.name}-public-${letter}` },
      });
      new RouteTableAssociation(this, `routes-${letter}`, { subnetId: subnet.id, routeTableId: routes.id });
      return subnet.id;
    });
    // Free of charge, and keeps traffic to S3 off the internet.
    new VpcEndpoint(this, "s3", {
      vpcId: vpc.id,
      serviceName: `com.amazonaws.${props.region}.s3`,
      vpcEndpointType: "Gateway",
      routeTableIds: [routes.id],
      tags,
    });
    // Managed without rules: whatever uses the default group by mistake has no network access.
    new DefaultSecurityGroup(this, "closed", { vpcId: vpc.id, tags: { Name: `${props.name}-closed` } });
    const group = new SecurityGroup(this, "task", {
      name: `${props.name}-task`,
      description: "git-diff-to-s3 tasks: outbound HTTPS only",
      vpcId: vpc.id,
      tags: { Name: `${props.name}-task` },
    });
    for (const port of outboundPorts(props.repositories)) {
      new VpcSecurityGroupEgressRule(this, `egress-${port}`, {
        securityGroupId: group.id,
        description: "Git hosts, whose addresses change, and AWS",
        // DNS needs no rule: security groups do not filter the VPC's own resolver.
        ipProtocol: "tcp",
        fromPort: port,
        toPort: port,
        cidrIpv4: "0.0.0.0/0",
        tags: { Name: `${props.name}-${port}` },
      });
    }
    this.securityGroupIds = [group.id];
  }
}

/** Returns the TCP ports of AWS and of all git hosts, each once, in ascending order. */
function outboundPorts(repositories: readonly Repository[]): number[] {
  const ports = repositories.map(({ url }) => Number((url && new URL(url).port) || 443));
  return [...new Set([443, ...ports])].sort((a, b) => a - b);
}
