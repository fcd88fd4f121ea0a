/** Receives what `restore` does. output/ implements it. */
export interface RestoreReport {
  progress(line: string): void;
  restored(facts: {
    readonly place: string;
    readonly folder: string;
    readonly step: number;
    /** The id of the step's state. */
    readonly state: string;
  }): void;
  failed(facts: {
    readonly place: string;
    readonly folder: string;
    readonly code: string;
    readonly message: string;
    readonly remedy: string;
  }): void;
}
