import { escaped, type Figure, plural, table } from "./html.ts";
import type { Overview } from "./overview.ts";

const mostCharacters = 54;

/** The files that changed on most days. */
export function filesFigure({ files: top, fileCount, repositories }: Overview): Figure {
  const most = Math.max(...top.map(({ days }) => days), 1);
  const nameOf = ({ repository, path }: (typeof top)[number]) =>
    repositories.length > 1 ? `${repository}: ${path}` : path;
  const marks = top.map((file, index) => {
    const y = index * 26;
    const width = Number(((480 * file.days) / most).toFixed(1));
    const title = `${nameOf(file)}: ${plural(file.days, "day")}, ${plural(file.lines, "line")}`;
    return `<g><title>${escaped(title)}</title><rect class=back x=0 y=${y} width=480 height=26 /><text class=name x=0 y=${y + 12}>${escaped(shorten(nameOf(file)))}</text><text class=end x=480 y=${y + 12}>${plural(file.days, "day")}</text><rect class=bar x=0 y=${y + 17} width=${width} height=4 rx=2 /></g>`;
  });
  return {
    title: "Files that change on most days",
    shows: `Of ${plural(fileCount, "file")} that changed.`,
    marks: marks.join(""),
    height: top.length * 26,
    table: table(
      ["File", "Days", "Lines"],
      top.map((file) => [nameOf(file), file.days, file.lines]),
    ),
  };
}

/** Leaves out the middle of a long name. */
function shorten(name: string): string {
  const characters = [...name];
  if (characters.length <= mostCharacters) return name;
  const kept = mostCharacters - 1;
  const end = Math.ceil(kept * 0.6);
  return `${characters.slice(0, kept - end).join("")}…${characters.slice(-end).join("")}`;
}
