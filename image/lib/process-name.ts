import { hostname } from "node:os";

/** Names this process among all of this computer and others: other processes can tell whether it is gone. */
export const processName = (): string => `${hostname().replace(/[^\w.-]/g, "_")}-${process.pid}`;

/** Returns whether a process of this computer with such a name is gone. False for a process of another computer. */
export function isGone(name: string): boolean {
  const [, host, id] = /^(.*)-(\d+)$/.exec(name) ?? [];
  if (id === undefined || `${host}-${process.pid}` !== processName()) return false;
  try {
    process.kill(Number(id), 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
