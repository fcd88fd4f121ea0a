import { join } from "node:path";
import type { Way } from "./measure.ts";
import { note, type Setting } from "./setting.ts";

const peer = "mirror-git-to-s3";
const version = "0.0.24";
/** It sends each object by several requests, and all of them in each run: some 100 objects a second. */
const mostObjects = 20_000;

/** As its command does, but with the content type that git's own server asks for. Some hosts do without. */
const program = `
import sys, httpx
from mirror_git_to_s3 import mirror_repos
headers = {"Content-Type": "application/x-git-upload-pack-request"}
mirror_repos([sys.argv[1:]], get_http_client=lambda: httpx.Client(headers=headers))
`;

/**
 * Installs https://pypi.org/project/mirror-git-to-s3/ in a place of its own. Returns how to run it, or why it is left out.
 * @param objects how many the repository has
 */
export async function openMirrorGitToS3(
  { folder, aws }: Setting,
  bucket: string,
  url: string,
  objects: number,
): Promise<Way | string> {
  if (objects > mostObjects) {
    return `${peer} is left out: it takes hours for ${objects} objects. It takes part up to ${mostObjects}.`;
  }
  note(`Installing ${peer}`);
  const venv = join(folder, peer);
  // As in .ci/run: Debian's venv may lack pip.
  const installed =
    await Bun.$`python3 -m venv --without-pip ${venv} && python3 -m pip --python ${venv} install --quiet ${peer}==${version}`
      .quiet()
      .nothrow();
  if (installed.exitCode !== 0) {
    const [reason] = installed.stderr.toString().trim().split("\n").slice(-1);
    return `${peer} is left out: it could not be installed from PyPI (${reason}).`;
  }
  const env = { ...aws.environment, AWS_ENDPOINT_URL: aws.endpoint, AWS_DEFAULT_REGION: "eu-west-1" };
  const args = ["-c", program, url, `s3://${bucket}/${peer}`];
  return async (_, run) => run({ program: join(venv, "bin/python"), args, env });
}
