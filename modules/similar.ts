/** Returns the word that a wrong one most likely means: it abbreviates it, or at most a third of its letters differ. */
export function similar(misspelt: string, words: readonly string[]): string | undefined {
  const start = letters(misspelt);
  const long = words.find((word) => start.length >= 4 && letters(word).startsWith(start));
  if (long) return long;
  const nearest = words
    .map((word) => ({ word, distance: distance(letters(misspelt), letters(word)) }))
    .toSorted((a, b) => a.distance - b.distance)[0];
  return nearest && nearest.distance <= nearest.word.length / 3 ? nearest.word : undefined;
}

const letters = (word: string) => word.toLowerCase().replace(/[^a-z0-9]/g, "");

/** The letters to insert, remove, replace or swap with the next one to make one word of another. */
function distance(from: string, to: string): number {
  const rows = [Array.from({ length: to.length + 1 }, (_, column) => column)];
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const cost = from[i - 1] === to[j - 1] ? 0 : 1;
      const swapped = from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      row[j] = Math.min(
        at(rows, i - 1, j) + 1,
        (row[j - 1] ?? 0) + 1,
        at(rows, i - 1, j - 1) + cost,
        swapped ? at(rows, i - 2, j - 2) + 1 : Number.POSITIVE_INFINITY,
      );
    }
    rows.push(row);
  }
  return at(rows, from.length, to.length);
}

const at = (rows: readonly (readonly number[])[], row: number, column: number) => rows[row]?.[column] ?? 0;
