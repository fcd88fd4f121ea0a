import { levels } from "./calendar.ts";
import { type Figure, plural, table } from "./html.ts";
import type { Overview } from "./overview.ts";

const weekdays = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/** When people commit, by their own clocks. */
export function hoursFigure({ hours }: Overview): Figure {
  const [left, top] = [36, 4];
  const pitch = (480 - left) / 24;
  const levelOf = levels(hours);
  const round = (value: number) => Number(value.toFixed(1));
  const squares = hours.map((commits, index) => {
    const [day, hour] = [Math.floor(index / 24), index % 24];
    const [x, y] = [round(left + hour * pitch), round(top + day * pitch)];
    const title = `${weekdays[day]}, ${hour}:00 to ${hour + 1}:00: ${plural(commits, "commit")}`;
    return `<rect class=l${levelOf(commits)} x=${x} y=${y}><title>${title}</title></rect>`;
  });
  const names = weekdays.map(
    (name, day) => `<text x=0 y=${round(top + (day + 0.68) * pitch)}>${name}</text>`,
  );
  const clock = [0, 6, 12, 18].map(
    (hour) => `<text x=${round(left + hour * pitch)} y=${round(top + 7 * pitch + 12)}>${hour}:00</text>`,
  );
  return {
    title: "Hours",
    shows: "Commits by weekday and hour, by the clocks of their authors.",
    marks: `<g class=cells style="--size:${round(pitch * 0.9)}px">${[...squares, ...names, ...clock].join("")}</g>`,
    height: round(top + 7 * pitch + 18),
    table: table(
      ["Hour", ...weekdays],
      Array.from({ length: 24 }, (_, hour) => [
        `${hour}:00`,
        ...weekdays.map((_, day) => hours[day * 24 + hour] ?? 0),
      ]),
    ),
  };
}
