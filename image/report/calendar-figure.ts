import { addDays, daysBetween, levels, mondayOf, weekday } from "./calendar.ts";
import { dayText, type Figure, monthText, plural, table } from "./html.ts";
import { type Overview, sumOf } from "./overview.ts";

/** In one row of weeks. */
const mostWeeks = 30;

/** A square for each day, whose colour shows how many lines have changed. */
export function calendarFigure({ days, from, to }: Overview): Figure {
  const first = mondayOf(from);
  const weeks = Math.floor(daysBetween(first, to) / 7) + 1;
  const rows = Math.ceil(weeks / mostWeeks);
  const perRow = Math.ceil(weeks / rows);
  const left = 36;
  const pitch = Math.min((480 - left) / perRow, 18);
  const rowHeight = 7 * pitch + 26;
  const byDay = new Map(days.map((one) => [one.day, one]));
  const levelOf = levels(days.map((one) => sumOf([one])));
  const round = (value: number) => Number(value.toFixed(1));
  const marks: string[] = [];
  for (let row = 0; row < rows; row++) {
    for (const [index, name] of [
      [0, "Mon"],
      [2, "Wed"],
      [4, "Fri"],
    ] as const)
      marks.push(`<text x=0 y=${round(row * rowHeight + 14 + (index + 0.75) * pitch)}>${name}</text>`);
  }
  let labelled = -4;
  for (let index = 0; index < 7 * weeks; index++) {
    const day = addDays(first, index);
    const week = Math.floor(index / 7);
    const [row, column] = [Math.floor(week / perRow), week % perRow];
    const [x, y] = [left + column * pitch, row * rowHeight + 14 + weekday(day) * pitch];
    const begins = index % 7 === 0 && (column === 0 || Number(day.slice(8)) <= 7);
    if (begins && (column === 0 || week - labelled > 2) && column < perRow - 1) {
      marks.push(`<text x=${round(x)} y=${round(row * rowHeight + 9)}>${monthText(day)}</text>`);
      labelled = week;
    }
    if (day < from || day > to) continue;
    const one = byDay.get(day);
    const lines = one ? sumOf([one]) : 0;
    const what = one
      ? `${plural(lines, "line")} in ${plural(one.files, "file")}, ${plural(one.commits, "commit")}`
      : "no change";
    marks.push(
      `<rect class=l${levelOf(lines)} x=${round(x)} y=${round(y)} ><title>${dayText(day)}: ${what}</title></rect>`,
    );
  }
  return {
    title: "Days",
    shows: "The stronger the colour of a day, the more lines have changed. Days are those of UTC.",
    marks: `<g class=cells style="--size:${round(pitch * 0.86)}px">${marks.join("")}</g>`,
    height: round(rows * rowHeight - 8),
    table: table(
      ["Day", "Commits", "Files", "Added", "Removed"],
      days.map(({ day, commits, files, added, removed }) => [dayText(day), commits, files, added, removed]),
    ),
  };
}
