/** Removes control characters. A host's words may reach a terminal, which must not take them for commands. */
export const printable = (text: string): string => text.replace(/[^\P{Cc}\t\n]/gu, "");
