import { languageOf } from "./languages.ts";
import type { Row } from "./schema.ts";

/** Folders of what others wrote, and of what a build made. */
const vendored = /(^|\/)(vendor|vendored|node_modules|bower_components|third[_-]party|external|extern)\//i;
const generated =
  /(^|\/)(package-lock\.json|npm-shrinkwrap\.json|yarn\.lock|pnpm-lock\.yaml|bun\.lockb?|cargo\.lock|composer\.lock|gemfile\.lock|go\.sum|poetry\.lock|pipfile\.lock|uv\.lock|flake\.lock)$|\.min\.(js|css)$|\.(js|css)\.map$|(\.pb\.go|_pb2(_grpc)?\.py|\.pb\.(cc|h)|\.g\.dart|\.designer\.cs)$/i;
const test =
  /(^|\/)(t|tests?|specs?|__tests__|testdata|fixtures|e2e)\/|(^|[/_.-])(test|spec)[_.-][^/]*$|[_.-](test|tests|spec)\.[^./]+$|(^|\/)[^/]*Tests?\.(java|kt|cs|swift|scala|php)$/;

type Described = Pick<Row<"files">, "extension" | "language" | "is_generated" | "is_vendored" | "is_test">;

/** Describes a file by its path alone, which is given as bytes in latin1. */
export function describePath(path: string): Described {
  const name = path.slice(path.lastIndexOf("/") + 1).toLowerCase();
  const dot = name.lastIndexOf(".");
  // Not the name of a hidden file, nor bytes that may be no text.
  const end = dot > 0 && dot < name.length - 1 ? name.slice(dot + 1) : undefined;
  const extension = end !== undefined && /^[ -~]{1,32}$/.test(end) ? end : undefined;
  return {
    extension: extension ?? null,
    language: languageOf(name, extension) ?? null,
    is_generated: generated.test(path),
    is_vendored: vendored.test(path),
    is_test: test.test(path),
  };
}
