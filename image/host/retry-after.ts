/**
 * Returns how long a host asks to wait, in milliseconds; undefined where it does not say.
 * Source: https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
 */
export function retryAfter(value: string | null, now: number): number | undefined {
  const text = value?.trim() ?? "";
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1_000;
  const date = /\d/.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(date) ? undefined : Math.max(date - now, 0);
}
