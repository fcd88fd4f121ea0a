import { codeCommitOf, type Repository } from "./repository.ts";

/** Returns the names of the repositories in CodeCommit whose events come to the stack's region. */
export const pushedRepositories = (repositories: readonly Repository[], region: string): string[] =>
  repositories.flatMap((repository) => {
    const found = codeCommitOf(repository);
    return found && (found.region ?? region) === region ? [found.name] : [];
  });
