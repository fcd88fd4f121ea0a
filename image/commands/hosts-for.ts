import type { Settings } from "../config/settings.ts";
import type { Access } from "../host/app-tokens.ts";
import { type Hosts, openHosts } from "../host/hosts.ts";

/** Opens the hosts of a run, with the limits of its settings. */
export function hostsFor(settings: Settings, access: Access = "read"): Hosts {
  const limits = {
    concurrency: settings.hostConcurrency,
    requestsPerSecond: settings.hostRequestsPerSecond,
    longestPauseSeconds: settings.timeoutSeconds,
  };
  return openHosts(limits, settings.authorities, access);
}
