import { LimitError } from "../lib/errors.ts";
import type { ObjectStore } from "../stores/stores.ts";
import { recordName } from "./record.ts";
import { type ChainRecord, type Versioned, writeRecord } from "./record-store.ts";

/** A run's hold on one step: the record, and the ETag that lets only this run change it. */
export class Claim<R extends ChainRecord> {
  private constructor(
    private readonly objects: ObjectStore,
    private held: Versioned<R>,
  ) {}

  /** Creates a step's record. Of all runs that try, one succeeds; the others get undefined. @throws StoreError */
  static async create<R extends ChainRecord>(objects: ObjectStore, record: R): Promise<Claim<R> | undefined> {
    const held = await writeRecord(objects, record, undefined);
    return held && new Claim(objects, held);
  }

  /** Takes a step over from another run, whose lease has expired. Undefined if yet another run was first. @throws StoreError */
  static async takeOver<R extends ChainRecord>(
    objects: ObjectStore,
    { record, etag }: Versioned<R>,
    by: Pick<R, "owner" | "claimed" | "leaseSeconds">,
  ): Promise<Claim<R> | undefined> {
    const held = await writeRecord(objects, { ...record, ...by }, etag);
    return held && new Claim(objects, held);
  }

  get record(): R {
    return this.held.record;
  }

  /** Changes the record. @throws LimitError if another run has taken the step over */
  async amend(change: Partial<R>): Promise<void> {
    await this.write({ ...this.record, ...change });
  }

  /** Completes the record, and returns the claim on the complete step. @throws LimitError as above */
  async complete<C extends ChainRecord>(record: C): Promise<Claim<C>> {
    const held = await writeRecord(this.objects, record, this.held.etag);
    return new Claim(this.objects, held ?? this.lost());
  }

  /** Frees the step for the next run at once. Where that fails, the lease expires later. */
  async release(): Promise<void> {
    const free = { ...this.record, claimed: new Date(0).toISOString() };
    await writeRecord(this.objects, free, this.held.etag).catch(() => {});
  }

  private async write(record: R): Promise<void> {
    this.held = (await writeRecord(this.objects, record, this.held.etag)) ?? this.lost();
  }

  private lost(): never {
    throw new LimitError(
      "lease-lost",
      `The lease expired, and another run took over the step ${recordName(this.record.number)}.`,
      "Nothing is lost. Raise STEP_LEASE_SECONDS.",
    );
  }
}
