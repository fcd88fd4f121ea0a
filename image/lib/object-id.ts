/** Matches a full SHA-1 object id, the only kind of id that cursors, records and hosts exchange. */
export const objectIdPattern = /^[0-9a-f]{40}$/;

/** The id of git's empty tree. A baseline is a diff from it. */
export const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
