import { printable } from "../lib/printable.ts";

/** Text that stands in HTML as it is. */
export const escaped = (text: string): string =>
  visible(text).replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** Shows characters that would hide, or turn the direction of what follows: https://unicode.org/reports/tr36/#Bidirectional_Text_Spoofing */
const visible = (text: string): string =>
  printable(text.replace(/[\t\n]/g, " ")).replace(
    /[\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );

export const number = (value: number): string => value.toLocaleString("en");

/** Returns a number with two digits and a unit: 1.2k. */
export function short(value: number): string {
  const unit = [["M", 1e6] as const, ["k", 1e3] as const].find(([, size]) => Math.abs(value) >= size);
  if (!unit) return String(value);
  const scaled = value / unit[1];
  return `${scaled < 10 ? Number(scaled.toFixed(1)) : Math.round(scaled)}${unit[0]}`;
}

export const plural = (count: number, one: string, many = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : many}`;

const months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/** Returns a day as people write it: 31 Jan 2026. */
export const dayText = (day: string): string =>
  `${Number(day.slice(8))} ${monthText(day)} ${day.slice(0, 4)}`;
export const monthText = (day: string): string => months[Number(day.slice(5, 7)) - 1] ?? "";

/** A cell: text, or a number, which is aligned to the right. */
export type Cell = string | number;

/** Returns a table. Its cells are escaped. */
export function table(heads: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const head = heads.map((text, index) => headOf(text, typeof rows[0]?.[index] === "number")).join("");
  const body = rows.map((cells) => `<tr>${cells.map(cellOf).join("")}`).join("\n");
  return `<table><thead><tr>${head}<tbody>${body}</table>`;
}

/** Returns the head of a column. */
export const headOf = (text: string, isNumber: boolean): string =>
  `<th scope=col${isNumber ? " class=n" : ""}>${escaped(text)}`;

const cellOf = (cell: Cell) =>
  typeof cell === "number" ? `<td class=n>${number(cell)}` : `<td>${escaped(cell)}`;

/** A part of the page: a heading, what it shows, a drawing, and the same numbers as a table. */
export interface Figure {
  readonly title: string;
  /** A sentence. */
  readonly shows: string;
  /** What is inside of the SVG, which is 480 wide. */
  readonly marks: string;
  readonly height: number;
  /** A word or two for the style sheet. */
  readonly className?: string;
  readonly table: string;
}

export const figure = ({ title, shows, marks, height, className = "", table }: Figure): string =>
  `<figure class="${className}"><figcaption><h2>${escaped(title)}</h2><p>${escaped(shows)}</p></figcaption>
<svg viewBox="0 0 480 ${height}" role="img" aria-label="${escaped(`${title}. ${shows} The table below has the numbers.`)}">${marks}</svg>
<details><summary>As a table</summary>${table}</details></figure>\n`;
