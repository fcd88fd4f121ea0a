/** Receives what the commands `tables` and `report` do. */
export interface TablesReport {
  progress(line: string): void;
  /** The tables in a place have all of these steps. */
  tables(facts: { readonly tables: string; readonly steps: number }): void;
  /** The page is made. */
  report(facts: { readonly report: string; readonly bytes: number }): void;
  /** @param of the repository, the tables or the page */
  failed(of: Readonly<Record<string, string>>, error: unknown): void;
}
