import { expect, test } from "bun:test";
import type { Fault } from "../fixtures/faults.ts";
import { openTestbed } from "../fixtures/testbed.ts";

const [repositories, writesPerSecond] = [100, 1.5];

/** Refuses what exceeds a rate, as Parameter Store does. */
function throttle(perSecond: number): () => Fault | undefined {
  let [tokens, last] = [perSecond, performance.now()];
  return () => {
    const now = performance.now();
    tokens = Math.min(Math.max(perSecond, 1), tokens + ((now - last) / 1_000) * perSecond);
    last = now;
    if (tokens < 1) return { status: 400, code: "ThrottlingException", message: "Rate exceeded" };
    tokens--;
    return undefined;
  };
}

test(`${repositories} cursors move at ${writesPerSecond} writes a second, in the time that this takes`, async () => {
  const testbed = await openTestbed();
  try {
    const target = await testbed.target(await testbed.repository("small"));
    const entries = [];
    for (let index = 0; index < repositories; index++) {
      const [parameterName, resultsBucket] = [`/throttled/${index}`, `${target.bucket}/${index}`];
      await testbed.aws.putParameter(parameterName, target.from);
      entries.push({ gitRepo: target.environment.GIT_REPO, parameterName, resultsBucket });
    }
    testbed.aws.fail({ operation: "PutParameter", nth: "all", how: throttle(writesPerSecond) });
    const ran = await target.run({
      ...{ GIT_REPO: "", PARAMETER_NAME: "", RESULTS_BUCKET: "", CONCURRENCY: "16" },
      REPOSITORIES: JSON.stringify(entries),
    });
    expect(ran.events.at(-1)).toMatchObject({ collected: repositories, failures: 0 });
    expect(ran.seconds).toBeLessThan((repositories / writesPerSecond) * 1.4);
    const writes = testbed.aws.calls.filter(({ operation }) => operation === "PutParameter").length;
    expect(writes).toBeLessThan(repositories * 1.6);
    for (const { parameterName } of entries)
      expect((await testbed.aws.parameter(parameterName))?.value).toBe(target.to);
  } finally {
    await testbed.close();
  }
}, 900_000);
