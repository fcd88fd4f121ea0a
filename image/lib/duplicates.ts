/** Returns the index of every value that occurred before it in the list. */
export function duplicateIndexes(values: readonly unknown[]): number[] {
  const seen = new Set<unknown>();
  return [...values.keys()].filter((index) => seen.size === seen.add(values[index]).size);
}
