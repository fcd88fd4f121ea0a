import { variables } from "../image/config/variables.ts";

/** An entry of the worker's REPOSITORIES. */
interface Entry {
  readonly gitRepo: string;
  readonly gitBranch?: string;
  readonly parameterName: string;
  readonly resultsBucket: string;
  readonly collect?: readonly string[];
}

/**
 * Compares the stack with what was synthesised before, as JSON. Returns, for each repository that only has another name
 * now, what follows from it and how to move what it has.
 */
export function describeRenames(before: string, after: string, region: string): string[] {
  const [old, now] = [listEntries(before), listEntries(after)];
  const known = new Set(old.map(({ parameterName }) => parameterName));
  const kept = new Set(now.map(({ parameterName }) => parameterName));
  return now.flatMap((to) => {
    const from = old.find(
      ({ gitRepo, gitBranch, parameterName }) =>
        gitRepo === to.gitRepo && gitBranch === to.gitBranch && !kept.has(parameterName),
    );
    if (!from || known.has(to.parameterName)) return [];
    const said = `${nameOf(from)} is called ${nameOf(to)} now. What it has stored stays under the old name, so that the next run would begin anew. A credential of its own goes with the old name: set it again after you deploy. To move what is stored, run this before, while no run does:`;
    return [said, ...moves(from, to, region)].join("\n  ");
  });
}

/** Returns the commands that move what a repository has. A mirror's packs can only be created, which `aws s3 sync` does not ask for. */
function moves(from: Entry, to: Entry, region: string): string[] {
  const [source, target] = [from, to].map(({ resultsBucket }) => `s3://${placeOf(resultsBucket, region)}`);
  const cursor = `$(aws ssm get-parameter --region ${region} --name ${from.parameterName} --query Parameter.Value --output text)`;
  const { collect = ["diffs"] } = from;
  return [
    ...(collect.includes("diffs")
      ? [
          `aws s3 sync --region ${region} ${source}/ ${target}/`,
          `aws ssm put-parameter --region ${region} --name ${to.parameterName} --type String --value "${cursor}"`,
        ]
      : []),
    ...(collect.includes("mirror")
      ? [
          `npm --silent start -- export ${source}.git --output - | npm --silent start -- import - ${target}.git`,
        ]
      : []),
  ];
}

function listEntries(template: string): Entry[] {
  const tasks: Record<string, { container_definitions: string }> =
    JSON.parse(template).resource?.aws_ecs_task_definition ?? {};
  return Object.values(tasks).flatMap(({ container_definitions }) => {
    const [{ environment, command }]: [
      { environment: { name: string; value: string }[]; command?: unknown },
    ] = JSON.parse(container_definitions);
    // A drill has repositories of another task once more.
    if (command !== undefined) return [];
    return JSON.parse(environment.find(({ name }) => name === variables.repositories)?.value ?? "[]");
  });
}

/** The name of a repository: the cursor's without the stack's. */
const nameOf = ({ parameterName }: Entry) => parameterName.split("/").slice(2).join("/");

/** Where a repository's results are, with a command for the account's id, which only AWS knows. */
const placeOf = (resultsBucket: string, region: string) =>
  resultsBucket.replace(
    /\$\{[^}]*\}/,
    `$(aws sts get-caller-identity --region ${region} --query Account --output text)`,
  );
