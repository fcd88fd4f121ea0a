import { addDays, daysBetween, mondayOf } from "./calendar.ts";
import { dayText, type Figure, monthText, number, short, table } from "./html.ts";
import { type Overview, sum } from "./overview.ts";

/** Below so many days, each has a bar of its own. */
const daysAtMost = 70;

/** Lines added and removed, in each week. */
export function churnFigure({ days, from, to }: Overview): Figure {
  const isDaily = daysBetween(from, to) < daysAtMost;
  const bucketOf = (day: string) => (isDaily ? day : mondayOf(day));
  const width = isDaily ? 1 : 7;
  const found = Map.groupBy(days, ({ day }) => bucketOf(day));
  const first = bucketOf(from);
  const buckets = Array.from({ length: Math.floor(daysBetween(first, to) / width) + 1 }, (_, index) => {
    const begins = addDays(first, index * width);
    const own = found.get(begins) ?? [];
    return { begins, added: sum(own, "added"), removed: sum(own, "removed") };
  });
  const [most, least] = [
    Math.max(...buckets.map(({ added }) => added), 1),
    Math.max(...buckets.map(({ removed }) => removed), 1),
  ];
  const [left, top, height] = [34, 8, 120];
  const scale = height / (most + least);
  const zero = top + most * scale;
  const pitch = (480 - left) / buckets.length;
  const bar = Math.max(pitch * 0.72, 1);
  const round = (value: number) => Number(value.toFixed(1));
  const named = isDaily ? "" : "Week of ";
  const bars = buckets.map(({ begins, added, removed }, index) => {
    const x = round(left + index * pitch + (pitch - bar) / 2);
    const mark = (name: string, y: number, lines: number) =>
      lines === 0
        ? ""
        : `<rect class=${name} x=${x} y=${round(y)} width=${round(bar)} height=${round(Math.max(lines * scale, 0.5))} />`;
    const title = `${named}${dayText(begins)}: ${number(added)} lines added, ${number(removed)} removed`;
    const marks = mark("add", zero - added * scale, added) + mark("del", zero, removed);
    return marks && `<g><title>${title}</title>${marks}</g>`;
  });
  const lines = ticks(most, least).map((value) => {
    const y = round(zero - value * scale);
    return `<path class=grid d="M${left} ${y}H480"/><text class=end x=${left - 5} y=${y + 3.5}>${short(Math.abs(value))}</text>`;
  });
  const labels = labelsOf(
    buckets.map(({ begins }) => begins),
    pitch,
    isDaily,
  ).map(({ index, text }) => `<text x=${round(left + index * pitch)} y=${top + height + 14}>${text}</text>`);
  return {
    title: isDaily ? "Lines changed each day" : "Lines changed each week",
    shows: "Added above the line, removed below it.",
    marks: [...lines, ...bars, `<path class=axis d="M${left} ${round(zero)}H480"/>`, ...labels].join(""),
    height: top + height + 20,
    className: "wide",
    table: table(
      [isDaily ? "Day" : "Week of", "Added", "Removed"],
      buckets.map(({ begins, added, removed }) => [dayText(begins), added, removed]),
    ),
  };
}

/** Returns round numbers for the axis, those below it negative. */
function ticks(most: number, least: number): number[] {
  const rough = (most + least) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = ([1, 2, 5, 10].find((one) => one * power >= rough) ?? 10) * power;
  const first = -Math.floor(least / step);
  return Array.from({ length: Math.floor(most / step) - first + 1 }, (_, index) => (first + index) * step);
}

/** Labels each day, or where a month begins, if there is room until the next label. */
function labelsOf(begins: readonly string[], pitch: number, isDaily: boolean) {
  const room = (text: string) => (text.length * 8) / pitch;
  const labels: { index: number; text: string }[] = [];
  const hasJanuary = begins.some((day) => day.slice(5, 7) === "01");
  for (const [index, day] of begins.entries()) {
    const last = labels.at(-1);
    if (isDaily) {
      const text = `${Number(day.slice(8))} ${monthText(day)}`;
      if (last === undefined || index - last.index >= room(text)) labels.push({ index, text });
      continue;
    }
    if (begins[index - 1]?.slice(0, 7) === day.slice(0, 7)) continue;
    const isYear = day.slice(5, 7) === "01" || (!hasJanuary && index === 0);
    const text = `${monthText(day)}${isYear ? ` ${day.slice(0, 4)}` : ""}`;
    if (last && index - last.index < room(last.text)) labels.pop();
    if (labels.length === 0 || begins.length - index >= room(text)) labels.push({ index, text });
  }
  return labels;
}
