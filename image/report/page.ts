import { addDays, daysBetween, mondayOf } from "./calendar.ts";
import { calendarFigure } from "./calendar-figure.ts";
import { churnFigure } from "./churn-figure.ts";
import { filesFigure } from "./files-figure.ts";
import { foldersFigure } from "./folders-figure.ts";
import { hoursFigure } from "./hours-figure.ts";
import { dayText, escaped, figure, headOf, number, plural, table } from "./html.ts";
import { type Overview, sum, sumOf } from "./overview.ts";
import { style } from "./style.ts";
import type { DaySummary } from "./summary.ts";

const [mostRepositories, biggestShown, peopleShown] = [100, 10, 15];

/** Returns the report: one HTML file without a script, which loads nothing. The same overview gives the same bytes. */
export function page(overview: Overview): string {
  const { from, to, repositories, days, fileCount, people, leftOut } = overview;
  const time = from === to ? dayText(from) : `${dayText(from)} to ${dayText(to)}`;
  const counts = [
    [plural(repositories.length, "repository", "repositories"), ""],
    [plural(sum(days, "commits"), "commit"), ""],
    [plural(fileCount, "file"), "changed"],
    [`+${number(sum(days, "added"))}`, "lines added"],
    [`−${number(sum(days, "removed"))}`, "lines removed"],
  ] as const;
  const drawn = [churnFigure, calendarFigure, hoursFigure, foldersFigure, filesFigure].map((make) =>
    figure(make(overview)),
  );
  const named =
    people.length > 0
      ? section(
          "People",
          "Those with most commits.",
          table(
            ["Name", "Commits"],
            people.slice(0, peopleShown).map(({ name, commits }) => [name, commits]),
          ),
        )
      : "";
  return `<!doctype html>
<html lang=en>
<meta charset=utf-8>
<meta name=viewport content="width=device-width">
<meta http-equiv=Content-Security-Policy content="default-src 'none'; style-src 'unsafe-inline'">
<title>What changed, ${time}</title>
<style>${style}</style>
<header><h1>What changed</h1><p>${time}</p>
<ul>${counts.map(([count, what]) => `<li><b>${count}</b> ${what}</li>`).join("")}</ul></header>
<main>
${drawn.join("")}${biggestDays(overview)}${named}${repositoryTable(overview)}</main>
<footer><p>Baselines are not counted${leftOut > 0 ? `, nor ${plural(leftOut, "line")} in generated and vendored files` : ""}. Made by git-diff-to-s3 of its tables.</p></footer>
</html>
`;
}

const section = (title: string, shows: string, content: string, className = "") =>
  `<section class="${className}"><h2>${title}</h2><p>${escaped(shows)}</p>${content}</section>\n`;

function biggestDays({ ofRepositories, repositories }: Overview): string {
  const all = ofRepositories.flatMap(({ days }) => days);
  const biggest = all
    .toSorted((a, b) => sumOf([b]) - sumOf([a]) || (a.day < b.day ? -1 : 1))
    .slice(0, biggestShown);
  const isOne = repositories.length === 1;
  return section(
    "Biggest days",
    "By lines added and removed.",
    table(
      ["Day", ...(isOne ? [] : ["Repository"]), "Commits", "Files", "Added", "Removed"],
      biggest.map(({ day, repository, commits, files, added, removed }) => [
        dayText(day),
        ...(isOne ? [] : [repository]),
        ...[commits, files, added, removed],
      ]),
    ),
  );
}

function repositoryTable({ ofRepositories, from, to }: Overview): string {
  const shown = ofRepositories.slice(0, mostRepositories);
  const rows = shown.map(({ repository, days }) => {
    const numbers = [days.length, sum(days, "commits"), sum(days, "added"), sum(days, "removed")];
    return `<tr><td>${escaped(repository)}${numbers.map((value) => `<td class=n>${number(value)}`).join("")}<td class=spark>${sparkline(days, from, to)}`;
  });
  const rest = ofRepositories.length - shown.length;
  const heads = ["Days", "Commits", "Added", "Removed"].map((head) => headOf(head, true));
  return section(
    "Repositories",
    `By lines that changed${rest > 0 ? `; ${plural(rest, "smaller one")} not shown` : ""}.`,
    `<table><thead><tr>${headOf("Repository", false)}${heads.join("")}<th scope=col class=spark>Lines by week<tbody>${rows.join("\n")}</table>`,
    "wide",
  );
}

/** The lines of each week, as a small drawing beside the numbers. */
function sparkline(days: readonly DaySummary[], from: string, to: string): string {
  const first = mondayOf(from);
  const byWeek = Map.groupBy(days, ({ day }) => mondayOf(day));
  const weeks = Array.from({ length: Math.floor(daysBetween(first, to) / 7) + 1 }, (_, index) =>
    sumOf(byWeek.get(addDays(first, 7 * index)) ?? []),
  );
  const most = Math.max(...weeks, 1);
  const pitch = 100 / weeks.length;
  const bars = weeks.map((lines, index) =>
    lines === 0
      ? ""
      : `M${Number((index * pitch).toFixed(1))} 20v-${Number(Math.max((18 * lines) / most, 1).toFixed(1))}h${Number(Math.max(pitch * 0.75, 0.5).toFixed(1))}V20z`,
  );
  return `<svg viewBox="0 0 100 20" preserveAspectRatio=none aria-hidden=true><path class=bar d="${bars.join("")}"/></svg>`;
}
