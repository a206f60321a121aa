// Where map metres lie on the screen. Map: x east, y north. Screen: CSS pixels, y down.

export const MIN_SCALE = 2; // CSS pixels per metre
export const MAX_SCALE = 200;

/** View that shows `bounds` [x0, y0, x1, y1] (metres) centred in width x height CSS pixels. */
export function fitView(bounds, width, height, padding = 12) {
  const [x0, y0, x1, y1] = bounds;
  const scale = Math.max(
    0.01,
    Math.min((width - 2 * padding) / Math.max(x1 - x0, 0.1), (height - 2 * padding) / Math.max(y1 - y0, 0.1)),
  );
  return { scale, x: width / 2 - (scale * (x0 + x1)) / 2, y: height / 2 + (scale * (y0 + y1)) / 2 };
}

export function toScreen(view, [x, y]) {
  return [view.x + view.scale * x, view.y - view.scale * y];
}

export function toMap(view, [x, y]) {
  return [(x - view.x) / view.scale, (view.y - y) / view.scale];
}

/** The view scaled by `factor` while the map point under `at` (screen) stays where it is. */
export function zoomAt(view, factor, at) {
  const scale = Math.min(MAX_SCALE, Math.max(MIN_SCALE, view.scale * factor));
  const k = scale / view.scale;
  return { scale, x: at[0] - k * (at[0] - view.x), y: at[1] - k * (at[1] - view.y) };
}

/** Moved by (dx, dy) CSS pixels, but never so far that the bounds leave the screen. */
export function panBy(view, dx, dy, bounds, width, height) {
  const keep = 60;
  const moved = { ...view, x: view.x + dx, y: view.y + dy };
  const [left, top] = toScreen(moved, [bounds[0], bounds[3]]);
  const [right, bottom] = toScreen(moved, [bounds[2], bounds[1]]);
  moved.x += Math.max(0, keep - right) - Math.max(0, left - (width - keep));
  moved.y += Math.max(0, keep - bottom) - Math.max(0, top - (height - keep));
  return moved;
}

/**
 * The six numbers of canvas' setTransform that lay floor plan pixels onto the screen.
 * The plan's top left corner is at `origin` (metres); it is turned anticlockwise by `rotationDeg` on the map.
 */
export function planTransform(view, { origin, pixelsPerMetre, rotationDeg }) {
  const a = (rotationDeg * Math.PI) / 180;
  const k = view.scale / pixelsPerMetre;
  const [e, f] = toScreen(view, origin);
  return [k * Math.cos(a), -k * Math.sin(a), k * Math.sin(a), k * Math.cos(a), e, f];
}

/** Length in metres for a scale bar: the largest of 1, 2, 5 times a power of ten that fits `maxPx`. */
export function scaleBar(view, maxPx) {
  const limit = maxPx / view.scale;
  const power = 10 ** Math.floor(Math.log10(limit));
  return [5, 2, 1].map((step) => step * power).find((length) => length <= limit) ?? power;
}

/** Mean of polygon corners, weighted by area, to write a zone's name at. */
export function centroid(polygon) {
  let area = 0;
  let x = 0;
  let y = 0;
  polygon.forEach(([ax, ay], i) => {
    const [bx, by] = polygon[(i + 1) % polygon.length];
    const cross = ax * by - bx * ay;
    area += cross / 2;
    x += (ax + bx) * cross;
    y += (ay + by) * cross;
  });
  return Math.abs(area) < 1e-9 ? polygon[0] : [x / (6 * area), y / (6 * area)];
}
