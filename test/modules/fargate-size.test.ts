import { expect, test } from "bun:test";
import { validateSize } from "../../modules/fargate-size.ts";

test.each([
  [256, 512],
  [256, 2048],
  [512, 1024],
  [512, 4096],
  [1024, 8192],
  [2048, 16384],
  [4096, 30720],
  [8192, 61440],
  [16384, 122880],
])("Fargate offers %d CPU units with %d MiB", (cpu, memory) => {
  expect(validateSize(cpu, memory)).toBeUndefined();
});

test.each([
  [256, 1536, "memory"],
  [256, 3072, "memory"],
  [512, 512, "memory"],
  [1024, 1024, "memory"],
  [1024, 2500, "memory"],
  [4096, 31744, "memory"],
  [8192, 17408, "memory"],
  [16384, 36864, "memory"],
  [300, 512, "cpu"],
])("Fargate does not offer %d CPU units with %d MiB", (cpu, memory, key) => {
  expect(validateSize(cpu, memory)?.key).toBe(key as "cpu");
});
