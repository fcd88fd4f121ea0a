import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const tries = 5;

/** Removes a folder. Bun's `rm` can report success with the folder still there, where a process was writing into it. */
export async function removeFolder(path: string): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      await rm(path, { recursive: true, force: true });
      if (!existsSync(path)) return;
    } catch (error) {
      if (attempt === tries) throw error;
    }
    if (attempt === tries) throw new Error(`${path} cannot be removed.`);
    await sleep(20 * 2 ** attempt);
  }
}
