// https://docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html#fargate-tasks-size
const MEMORY: ReadonlyMap<number, readonly number[]> = new Map([
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

/** What is wrong with a pair of CPU units and MiB of memory. Undefined: Fargate has it. */
export function mistakeInSize(
  cpu: number,
  memory: number,
): { key: "cpu" | "memory"; message: string } | undefined {
  const sizes = MEMORY.get(cpu);
  if (!sizes) {
    const known = [...MEMORY.keys()].join(", ");
    return { key: "cpu", message: `is not a number of CPU units that Fargate has; write one of ${known}` };
  }
  if (sizes.includes(memory)) return undefined;
  const [first = 0, second = 0] = sizes;
  const known =
    sizes.length === 3 ? sizes.join(", ") : `${first} to ${sizes.at(-1)} in steps of ${second - first}`;
  return {
    key: "memory",
    message: `is not an amount of memory (MiB) that Fargate has with cpu ${cpu}; write ${known}`,
  };
}
