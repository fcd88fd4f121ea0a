const escapes: Readonly<Record<number, string>> = {
  7: "\\a",
  8: "\\b",
  9: "\\t",
  10: "\\n",
  11: "\\v",
  12: "\\f",
  13: "\\r",
  34: '\\"',
  92: "\\\\",
};

/**
 * Returns the text of a path, given as bytes in latin1. A path that is not UTF-8, or begins with a quotation mark, is quoted
 * as git quotes it: so two paths never become one. Source: https://git-scm.com/docs/git-config#Documentation/git-config.txt-corequotePath
 */
export function pathText(path: string): string {
  const bytes = Buffer.from(path, "latin1");
  const text = bytes.toString("utf8");
  if (!text.startsWith('"') && Buffer.from(text).equals(bytes)) return text;
  const quoted = [...bytes].map((byte) => {
    if (escapes[byte]) return escapes[byte];
    return byte < 32 || byte > 126 ? `\\${byte.toString(8).padStart(3, "0")}` : String.fromCharCode(byte);
  });
  return `"${quoted.join("")}"`;
}
