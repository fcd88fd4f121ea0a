// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
const memorySizes: ReadonlyMap<number, readonly number[]> = new Map([
  [256, [512, 1024, 2048]],
  [512, gibibytes(1, 4)],
  [1024, gibibytes(2, 8)],
  [2048, gibibytes(4, 16)],
  [4096, gibibytes(8, 30)],
  [8192, gibibytes(16, 60, 4)],
  [16384, gibibytes(32, 120, 8)],
]);

function gibibytes(first: number, last: number, step = 1): number[] {
  return Array.from({ length: (last - first) / step + 1 }, (_, index) => (first + index * step) * 1024);
}

/** Checks a pair of CPU units and MiB of memory. Returns what is wrong with it, or undefined if Fargate offers it. */
export function validateSize(
  cpu: number,
  memory: number,
): { key: "cpu" | "memory"; message: string } | undefined {
  const sizes = memorySizes.get(cpu);
  if (!sizes) {
    const offered = [...memorySizes.keys()].join(", ");
    return { key: "cpu", message: `is not a number of CPU units that Fargate offers; use one of ${offered}` };
  }
  if (sizes.includes(memory)) return undefined;
  const [first = 0, second = 0] = sizes;
  const offered =
    sizes.length === 3 ? sizes.join(", ") : `${first} to ${sizes.at(-1)} in steps of ${second - first}`;
  return {
    key: "memory",
    message: `is not an amount of memory (MiB) that Fargate offers with cpu ${cpu}; use ${offered}`,
  };
}
