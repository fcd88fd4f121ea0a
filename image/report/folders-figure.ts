import { escaped, type Figure, plural, table } from "./html.ts";
import type { Overview } from "./overview.ts";
import { type Area, squarify } from "./squarify.ts";

const [mostGroups, mostFolders] = [12, 10];
const height = 300;

/** Rectangles as large as the number of lines that changed: repositories and their folders, or folders of the only one. */
export function foldersFigure({ folders, repositories }: Overview): Figure {
  const isOne = repositories.length === 1;
  const split = folders.map(({ repository, folder, lines }) => {
    const [first = "", second = ""] = folder.split("/");
    const top = first === "" ? "(top)" : first;
    return isOne ? { group: top, name: second, lines } : { group: repository, name: top, lines };
  });
  const groups = largest(split, ({ group }) => group, mostGroups).map(({ name, lines, members }) => ({
    name,
    lines,
    folders: largest(members, ({ name }) => name, mostFolders),
  }));
  const areas = squarify(
    groups.map(({ lines }) => lines),
    { x: 0, y: 0, width: 480, height },
  );
  const marks = groups.map((group, index) => {
    const area = areas[index];
    if (area === undefined) return "";
    const header = area.width > 40 && area.height > 34 ? 15 : 0;
    const inner = { ...area, y: area.y + header, height: area.height - header };
    const places = squarify(
      group.folders.map(({ lines }) => lines),
      inner,
    );
    const rects = group.folders.map(({ name, lines }, at) => {
      const place = places[at];
      if (place === undefined) return "";
      const title = `${group.name}${name && name !== group.name ? `/${name}` : ""}: ${plural(lines, "line")}`;
      return `<g><title>${escaped(title)}</title>${rect(`t${index % 3}`, place)}${label("", name, place, 12)}</g>`;
    });
    return `<g>${rect("back", area)}${header ? label("name", group.name, area, 11) : ""}${rects.join("")}</g>`;
  });
  return {
    title: "Where lines change",
    shows: isOne ? "Folders by the lines that changed in them." : "Repositories and their folders, by lines.",
    marks: marks.join(""),
    height,
    table: table(
      [isOne ? "Folder" : "Repository", isOne ? "Below" : "Folder", "Lines"],
      groups.flatMap(({ name, folders }) => folders.map((folder) => [name, folder.name, folder.lines])),
    ),
  };
}

interface Named {
  readonly lines: number;
}

/** Sums up by name. Those beyond the largest ones are "other". */
function largest<T extends Named>(list: readonly T[], nameOf: (one: T) => string, most: number) {
  const all = [...Map.groupBy(list, nameOf)]
    .map(([name, members]) => ({ name, members, lines: members.reduce((sum, { lines }) => sum + lines, 0) }))
    .filter(({ lines }) => lines > 0)
    .sort((a, b) => b.lines - a.lines || (a.name < b.name ? -1 : 1));
  const rest = all.slice(most - 1);
  if (rest.length < 2) return all;
  const other = {
    name: "other",
    members: rest.flatMap(({ members }) => members),
    lines: rest.reduce((sum, { lines }) => sum + lines, 0),
  };
  return [...all.slice(0, most - 1), other].sort((a, b) => b.lines - a.lines);
}

const round = (value: number) => Number(value.toFixed(1));

const rect = (name: string, { x, y, width, height }: Area) =>
  `<rect class=${name} x=${round(x)} y=${round(y)} width=${round(width)} height=${round(height)} />`;

/** A label where it fits. */
function label(name: string, text: string, { x, y, width, height }: Area, down: number): string {
  const fits = text !== "" && height >= down + 3 && width >= [...text].length * 6.4 + 6;
  return fits
    ? `<text class="in ${name}" x=${round(x + 4)} y=${round(y + down)}>${escaped(text)}</text>`
    : "";
}
