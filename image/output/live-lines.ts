import { createLogUpdate } from "log-update";

/** Lines at the bottom of a terminal that change in place, below the text that is printed. */
export interface LiveLines {
  /** Shows a line for `name`, in place of its last one. */
  show(name: string, line: string): void;
  /** Removes the line of `name`, and prints a text above the others. */
  finish(name: string, text: string): void;
  /** Removes all lines, and prints a text. */
  end(text: string): void;
}

/** Progress comes far more often than anybody can read it. */
const redrawMilliseconds = 80;

export function liveLines(stream: NodeJS.WriteStream): LiveLines {
  const live = createLogUpdate(stream);
  const lines = new Map<string, string>();
  let drawn = 0;
  const draw = () => live([...lines].map(([name, line]) => `  ${name}  ${line}`).join("\n"));
  return {
    show(name, line) {
      lines.set(name, line);
      if (performance.now() - drawn < redrawMilliseconds) return;
      drawn = performance.now();
      draw();
    },
    finish(name, text) {
      lines.delete(name);
      live.clear();
      stream.write(text);
      if (lines.size > 0) draw();
    },
    end(text) {
      live.clear();
      stream.write(text);
    },
  };
}
