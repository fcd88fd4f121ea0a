/**
 * Returns the trailers of a commit's message, such as `Signed-off-by`: the lines of its last paragraph, which is not the first
 * one, if all of them are trailers or continue one. Source: https://git-scm.com/docs/git-interpret-trailers
 */
export function trailersOf(message: string): [key: string, value: string][] {
  const paragraphs = message.trim().split(/\n[ \t]*\n/);
  if (paragraphs.length < 2) return [];
  const found: [string, string][] = [];
  for (const line of paragraphs.at(-1)?.split("\n") ?? []) {
    const [, key, value = ""] = /^([A-Za-z0-9-]+)[ \t]*:[ \t]*(.*)$/.exec(line) ?? [];
    const last = found.at(-1);
    if (key !== undefined) found.push([key, value.trim()]);
    else if (last && /^[ \t]/.test(line)) last[1] += ` ${line.trim()}`;
    // git cherry-pick adds such a line.
    else if (!/^\(cherry picked from commit /.test(line)) return [];
  }
  return found;
}
