/** A person, as a commit names one. */
export interface Identity {
  readonly name: string;
  readonly email: string;
}

/** Returns the proper name and address of a person. */
export type Mailmap = (person: Identity) => Identity;

interface Entry {
  readonly properName: string;
  readonly properEmail: string;
}

/** Parses a `.mailmap`: https://git-scm.com/docs/gitmailmap */
export function parseMailmap(text: string): Mailmap {
  const entries = new Map<string, Entry>();
  const keyOf = (email: string, name = "") => `${email.toLowerCase()}\0${name.toLowerCase()}`;
  for (const line of text.split("\n")) {
    const [, first = "", email = "", second = "", commitEmail] =
      /^\s*([^<#]*?)\s*<([^>]*)>(?:\s*([^<]*?)\s*<([^>]*)>)?/.exec(line) ?? [];
    if (email === "" && commitEmail === undefined) continue;
    // `Proper Name <e-mail>` changes the name alone.
    const entry = { properName: first, properEmail: commitEmail === undefined ? "" : email };
    entries.set(keyOf(commitEmail ?? email, second), entry);
  }
  return ({ name, email }) => {
    const entry = entries.get(keyOf(email, name)) ?? entries.get(keyOf(email));
    return entry ? { name: entry.properName || name, email: entry.properEmail || email } : { name, email };
  };
}
