import { wait } from "../lib/wait.ts";
import { HostPaused } from "./host.ts";

/**
 * Works again after each pause that the host asks for. It does not ask for ever: its limits end that.
 * @param onPause may throw an error instead of waiting
 */
export async function waitOutPauses<T>(
  signal: AbortSignal,
  work: () => Promise<T>,
  onPause: (until: number) => void = () => {},
): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!(error instanceof HostPaused)) throw error;
      onPause(error.until);
      await wait(Math.max(error.until - Date.now(), 0), signal);
    }
  }
}
