import { type Access, openAppTokens } from "./app-tokens.ts";
import { type Configured, isApp } from "./credentials.ts";
import { type AppTokens, apiOf } from "./github-app.ts";
import { type Host, type HostLimits, openHost } from "./host.ts";
import type { Location } from "./location.ts";

/** The hosts of a run. Repositories of one origin share its connections and limits. */
export interface Hosts {
  of(location: Location): Host;
  /** The same for large files. It is a host of its own: where LFS is denied or paused, repositories are not. */
  lfsOf(location: Location): Host;
  /** Until when a repository's host, or the API that gives its token, has asked not to be asked; 0 for no pause. */
  pausedUntil(location: Location, configured: Configured): number;
  readonly appTokens: AppTokens;
}

/**
 * @param authorities certificates in PEM to trust instead of the usual ones
 * @param access what the tokens of GitHub Apps are for
 */
export function openHosts(
  limits: HostLimits,
  authorities: string | undefined,
  access: Access = "read",
): Hosts {
  const open = () => {
    const hosts = new Map<string, Host>();
    return ({ url }: Location): Host => {
      // All folders are one host.
      const { origin } = new URL(url);
      const host = hosts.get(origin) ?? openHost(origin, limits, authorities);
      hosts.set(origin, host);
      return host;
    };
  };
  const of = open();
  return {
    of,
    lfsOf: open(),
    pausedUntil(location, configured) {
      const until = of(location).pausedUntil();
      if (!isApp(configured)) return until;
      return Math.max(until, of({ ...location, url: apiOf(location.url) }).pausedUntil());
    },
    appTokens: openAppTokens(of, access),
  };
}
