const dayMilliseconds = 86_400_000;

export const addDays = (day: string, days: number): string =>
  new Date(Date.parse(day) + days * dayMilliseconds).toISOString().slice(0, 10);

/** The number of days from one to another. */
export const daysBetween = (from: string, to: string): number =>
  Math.round((Date.parse(to) - Date.parse(from)) / dayMilliseconds);

/** Returns the day of the week, from 0 for Monday. */
export const weekday = (day: string): number => (new Date(day).getUTCDay() + 6) % 7;

/** Returns the Monday of a day's week. */
export const mondayOf = (day: string): string => addDays(day, -weekday(day));

/** Returns which quarter of the values that are not 0 a value is in, from 1 to 4; 0 for 0. */
export function levels(values: readonly number[]): (value: number) => number {
  const sorted = values.filter((value) => value > 0).sort((a, b) => a - b);
  return (value) => {
    if (value <= 0) return 0;
    const below = sorted.findIndex((one) => one >= value);
    return Math.min(4, 1 + Math.floor((4 * below) / sorted.length));
  };
}
