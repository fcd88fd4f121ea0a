import { codeCommitOf, type Repository } from "./repository.ts";

/** Returns the names of the repositories in CodeCommit whose events come to the stack's region. */
export const pushedRepositories = (repositories: readonly Repository[], region: string): string[] => [
  // Two entries may follow two branches of one repository.
  ...new Set(
    repositories.flatMap((repository) => {
      const found = codeCommitOf(repository);
      return found && (found.region ?? region) === region ? [found.name] : [];
    }),
  ),
];
