import { makeRepository, type Repository } from "../helpers/repository.ts";

/** Numbers from 0 to `below`, the same ones for the same seed. */
export function dice(seed: number): (below: number) => number {
  let state = seed >>> 0;
  return (below) => {
    // https://en.wikipedia.org/wiki/Linear_congruential_generator, the better upper bits of it
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * below);
  };
}

export interface Story {
  readonly repository: Repository;
  /** The tree of every commit there was. */
  readonly trees: Map<string, string>;
  /** One commit more; answers its id. */
  commit(): Promise<string>;
  /** The next thing happens to the repository; says what. */
  goOn(): Promise<string>;
}

/** A repository whose history goes on at random: days of some commits, merges, rewritten history, or nothing. */
export async function tellStory(path: string, roll: (below: number) => number): Promise<Story> {
  const repository = await makeRepository({ path });
  const { git } = repository;
  const trees = new Map<string, string>();
  let counter = 0;
  const note = async () => {
    const [commit = "", tree = ""] = (await git("rev-parse", "HEAD", "HEAD^{tree}")).split("\n");
    trees.set(commit, tree);
    return commit;
  };
  const commit = async () => {
    for (let files = 1 + roll(3); files > 0; files--) {
      const name = `${["", "folder/", "deep/er/"][roll(3)]}file ${roll(8)}`;
      const lines = Array.from({ length: 1 + roll(20) }, (_, line) => `${line} ${roll(50)}\n`);
      await repository.write(name, lines.join("") + (roll(4) ? "" : "no end of line"));
    }
    await repository.write("counter", `${++counter}\n`);
    await repository.commit();
    return note();
  };
  const length = async () => Number(await git("rev-list", "--count", "--first-parent", "HEAD"));
  const happenings: [name: string, happen: () => Promise<unknown>][] = [
    ["a commit", commit],
    ["a commit", commit],
    [
      "some commits",
      async () => {
        for (let each = 0; each < 3; each++) await commit();
      },
    ],
    ["nothing", async () => {}],
    [
      "a merge",
      async () => {
        await git("checkout", "--quiet", "-b", `topic-${++counter}`);
        await commit();
        await git("checkout", "--quiet", "main");
        await git("merge", "--quiet", "--no-ff", "--no-edit", `topic-${counter}`).catch(async () => {
          await git("merge", "--abort").catch(() => {});
        });
        await note();
      },
    ],
    [
      "history was rewritten",
      async () => {
        await git("reset", "--quiet", "--hard", `HEAD~${Math.min(1 + roll(3), (await length()) - 1)}`);
        await commit();
      },
    ],
    [
      "the branch went back",
      async () => {
        await git("reset", "--quiet", "--hard", `HEAD~${Math.min(1 + roll(2), (await length()) - 1)}`);
      },
    ],
    [
      "history was rewritten, and the old one is gone",
      async () => {
        await git("reset", "--quiet", "--hard", `HEAD~${Math.min(1 + roll(2), (await length()) - 1)}`);
        await commit();
        for (const branch of (await git("branch", "--format=%(refname:short)")).split("\n"))
          if (branch !== "main") await git("branch", "-D", branch);
        await git("reflog", "expire", "--expire=now", "--all");
        await git("gc", "--quiet", "--prune=now");
      },
    ],
  ];
  await commit();
  return {
    repository,
    trees,
    commit,
    async goOn() {
      const [name, happen] = happenings[roll(happenings.length)] ?? ["", commit];
      await happen();
      return name;
    },
  };
}
