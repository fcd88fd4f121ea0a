import { expect, test } from "bun:test";
import { validateRegion } from "../../modules/region.ts";

test.each([
  ...[
    "af-south-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-southeast-7",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
  ],
  ...[
    "eu-central-2",
    "eu-west-1",
    "eusc-de-east-1",
    "il-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
  ],
  ...["us-east-1", "us-gov-west-1", "us-iso-east-1", "us-isob-east-1", "us-isof-south-1", "eu-isoe-west-1"],
])("%s is a region", (region) => {
  expect(validateRegion(region)).toBeUndefined();
});

test.each(["eu-west-4", "cl-central-1"])("%s may be a region one day", (region) => {
  expect(validateRegion(region)).toBeUndefined();
});

test.each([
  ...["eu-wset-1", "ue-west-1", "us-esat-1", "eu-west", "eu-west-0", "eu-west-11", "euwest1", "Ireland", ""],
  ...["eu-gov-west-1", "zq-west-1", "eu--west-1", "global", "us-east-1.amazonaws.com"],
])("%j is not a region", (region) => {
  expect(validateRegion(region)).toBe('is not an AWS region; use one such as "eu-west-1"');
});

test.each([
  ["EU-West-1", 'must be written "eu-west-1"'],
  [" eu-west-1", 'must be written "eu-west-1"'],
  ["eu-west-1a", 'is a zone of a region; use "eu-west-1"'],
])("%j is nearly a region", (region, message) => {
  expect(validateRegion(region)).toBe(message);
});
