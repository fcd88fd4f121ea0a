import { createHmac } from "node:crypto";
import type { PeopleSettings } from "../lib/row-settings.ts";
import type { Identity, Mailmap } from "./mailmap.ts";

/** Turns what names a person into what a table has of it. Undefined for what it does not have. */
export interface People {
  id(person: Identity | undefined): string | undefined;
  name(person: Identity | undefined): string | undefined;
  email(person: Identity | undefined): string | undefined;
  subject(text: string): string | undefined;
  message(text: string): string | undefined;
  /** Hides the person in a trailer's value, or an address in it. */
  trailer(value: string): string;
}

/** An e-mail address, with or without its brackets. */
const address = /<([^<>]*@[^<>]*)>|([^\s<>()[\],;:"']+@[^\s<>()[\],;:"']+)/g;

export function openPeople({ privacy, key }: PeopleSettings, mailmap: Mailmap): People {
  const hash = (email: string) =>
    createHmac("sha256", key).update(email.toLowerCase()).digest("hex").slice(0, 32);
  const mapped = (person: Identity | undefined) => person && mailmap(person);
  const plain = privacy === "plain";
  const hidden = (email: string) => (privacy === "omit" ? "<…>" : `<${hash(email)}>`);
  const text = (text: string) =>
    plain ? text : text.replace(address, (_, bare, inside) => hidden(bare ?? inside));
  return {
    id(person) {
      const email = mapped(person)?.email;
      if (email === undefined || privacy === "omit") return undefined;
      return plain ? email : hash(email);
    },
    name: (person) => (plain ? mapped(person)?.name : undefined),
    email: (person) => (plain ? mapped(person)?.email : undefined),
    subject: (subject) => (privacy === "omit" ? undefined : text(subject)),
    message: (message) => (plain ? message : undefined),
    trailer(value) {
      const [, email] = /^[^<]*<([^<>]*@[^<>]*)>/.exec(value) ?? [];
      return plain || email === undefined ? text(value) : hidden(email);
    },
  };
}
