/** Returns the address of Athena's editor. */
export const consoleUrl = (region: string): string =>
  `https://${region}.${consoleDomain(region)}/athena/home?region=${region}#/query-editor`;

/** Each partition of AWS has a console of its own. */
function consoleDomain(region: string): string {
  if (region.startsWith("cn-")) return "console.amazonaws.cn";
  return region.startsWith("us-gov-") ? "console.amazonaws-us-gov.com" : "console.aws.amazon.com";
}

/**
 * Returns queries of the tables in a database. A condition on `month` keeps Athena from reading the other months. All are in
 * SQL that Trino, which is Athena's, and DuckDB both know.
 */
export const exampleQueries = (database: string): Readonly<Record<string, string>> => ({
  biggest_days_of_a_year: `SELECT repository, day, commits, lines_added, lines_removed FROM ${database}.steps WHERE month > ${monthOf("current_date - INTERVAL '1' YEAR")} AND kind = 'change' ORDER BY lines_added + lines_removed DESC LIMIT 20`,
  files_of_this_month: `SELECT f.repository, f.path, count(DISTINCT f.day) AS days, sum(f.lines_added) AS added, sum(f.lines_removed) AS removed FROM ${database}.files f JOIN ${database}.steps s ON s.month = f.month AND s.repository = f.repository AND s.chain = f.chain AND s.number = f.number WHERE f.month = ${monthOf("current_date")} AND s.kind = 'change' GROUP BY f.repository, f.path ORDER BY days DESC, f.repository, f.path LIMIT 20`,
  rewritten_history: `SELECT repository, day, from_commit, to_commit FROM ${database}.steps WHERE kind IN ('rewritten', 'restarted') ORDER BY day DESC, repository`,
});

/** A date as the tables name months. Not by date_format, which DuckDB does not have. */
const monthOf = (date: string) => `substr(CAST(${date} AS varchar), 1, 7)`;
