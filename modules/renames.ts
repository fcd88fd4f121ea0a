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
    const place = ({ resultsBucket }: Entry) => placeOf(resultsBucket, region);
    const ssm = `aws ssm get-parameter --region ${region} --name ${from.parameterName}`;
    return `${nameOf(from)} is called ${nameOf(to)} now. Its cursor and its diffs stay under the old name, so that the next run would store a new baseline. A credential of its own goes with the old name: set it again after you deploy. To move cursor and diffs, run this before:
  aws s3 sync --region ${region} s3://${place(from)}/ s3://${place(to)}/
  aws ssm put-parameter --region ${region} --name ${to.parameterName} --type String --value "$(${ssm} --query Parameter.Value --output text)"${mirrorCommand(place(from), place(to), from)}`;
  });
}

function listEntries(template: string): Entry[] {
  const tasks: Record<string, { container_definitions: string }> =
    JSON.parse(template).resource?.aws_ecs_task_definition ?? {};
  return Object.values(tasks).flatMap(({ container_definitions }) => {
    const [{ environment }]: [{ environment: { name: string; value: string }[] }] =
      JSON.parse(container_definitions);
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

/** The command that moves a mirror. Its packs can only be created, which `aws s3 sync` does not ask for. */
const mirrorCommand = (from: string, to: string, { collect }: Entry) =>
  collect?.includes("mirror")
    ? `
  npm --silent start -- export s3://${from}.git --output - | npm --silent start -- import - s3://${to}.git`
    : "";
