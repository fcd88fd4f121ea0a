export interface Area {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * Divides an area among values, which are sorted and sum up to it, into rectangles that are as square as possible.
 * Source: Bruls, Huizing, van Wijk, https://www.win.tue.nl/~vanwijk/stm.pdf
 */
export function squarify(values: readonly number[], area: Area): Area[] {
  const all = values.reduce((sum, value) => sum + value, 0);
  if (all <= 0) return [];
  const sizes = values.map((value) => (value / all) * area.width * area.height);
  const placed: Area[] = [];
  let left = area;
  for (let from = 0; from < sizes.length; ) {
    const side = Math.min(left.width, left.height);
    let count = 1;
    while (
      from + count < sizes.length &&
      worst(sizes.slice(from, from + count + 1), side) <= worst(sizes.slice(from, from + count), side)
    )
      count++;
    const row = sizes.slice(from, from + count);
    const thickness = row.reduce((sum, size) => sum + size, 0) / side;
    let offset = 0;
    for (const size of row) {
      const length = size / thickness;
      placed.push(
        left.width >= left.height
          ? { x: left.x, y: left.y + offset, width: thickness, height: length }
          : { x: left.x + offset, y: left.y, width: length, height: thickness },
      );
      offset += length;
    }
    left =
      left.width >= left.height
        ? { ...left, x: left.x + thickness, width: left.width - thickness }
        : { ...left, y: left.y + thickness, height: left.height - thickness };
    from += count;
  }
  return placed;
}

/** Returns the worst ratio of the sides of the rectangles in a row along a side. */
function worst(row: readonly number[], side: number): number {
  const sum = row.reduce((all, size) => all + size, 0);
  return Math.max(
    ...row.map((size) => Math.max((side ** 2 * size) / sum ** 2, sum ** 2 / (side ** 2 * size))),
  );
}
