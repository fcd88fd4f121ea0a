// Areas that are no country's code. The rest are: "us", "il", "mx".
const areas = /^(eu|ap|us-gov|us-iso[a-z]?|eu-isoe|eusc-[a-z]{2})$/;
const directions = "north|south|east|west|central|northeast|northwest|southeast|southwest";
const form = new RegExp(`^([a-z-]+)-(${directions})-[1-9]$`);
const countries = new Intl.DisplayNames("en", { type: "region", fallback: "none" });

/**
 * Checks the name of an AWS region. Returns what is wrong with it and what to write instead, or undefined. AWS adds
 * regions, so this knows how they are named, and no list: https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-regions.html
 */
export function validateRegion(region: string): string | undefined {
  if (isRegion(region)) return undefined;
  const corrected = region.trim().toLowerCase();
  if (isRegion(corrected)) return `must be written "${corrected}"`;
  const zone = /^(.*\d)[a-z]$/.exec(corrected)?.[1];
  if (zone && isRegion(zone)) return `is a zone of a region; use "${zone}"`;
  return 'is not an AWS region; use one such as "eu-west-1"';
}

function isRegion(text: string): boolean {
  const area = form.exec(text)?.[1];
  if (area === undefined) return false;
  return areas.test(area) || (/^[a-z]{2}$/.test(area) && countries.of(area.toUpperCase()) !== undefined);
}
