import { type Host, type HostLimits, openHost } from "./host.ts";
import type { Location } from "./location.ts";

/** The hosts of a run. Repositories of one origin share its connections and limits. */
export interface Hosts {
  of(location: Location): Host;
}

/** @param authorities certificates in PEM to trust instead of the usual ones */
export function openHosts(limits: HostLimits, authorities: string | undefined): Hosts {
  const hosts = new Map<string, Host>();
  return {
    of({ url }) {
      // All folders are one host.
      const { origin } = new URL(url);
      const host = hosts.get(origin) ?? openHost(origin, limits, authorities);
      hosts.set(origin, host);
      return host;
    },
  };
}
