// Drawing the map, layer by layer, onto a canvas whose unit is the CSS pixel. No state.

import { colourOf, nameOf } from "./colours.js";
import { centroid, planTransform, scaleBar, toScreen } from "./geometry.js";

const ZONE_COLOURS = { entrance: "--zone-entrance", exit: "--zone-exit", restricted: "--zone-restricted", queue: "--zone-queue", work_area: "--zone-work" };
const FONT = "600 11px system-ui, sans-serif";

/** Colours of the current theme, read once per change. */
export function readPalette(element) {
  const style = getComputedStyle(element);
  const get = (name) => style.getPropertyValue(name).trim();
  const names = ["--map-ground", "--map-shade", "--text", "--text-soft", "--line-strong", "--accent", "--surface", "--zone-other", ...Object.values(ZONE_COLOURS)];
  return { ...Object.fromEntries(names.map((name) => [name, get(name)])), dark: document.documentElement.dataset.theme === "dark" };
}

export function drawGround(ctx, view, { bounds, plan }, image, palette) {
  const [x0, y1] = toScreen(view, [bounds[0], bounds[3]]);
  const [x1, y0] = toScreen(view, [bounds[2], bounds[1]]);
  ctx.save();
  ctx.beginPath();
  ctx.roundRect(x0, y1, x1 - x0, y0 - y1, 6);
  ctx.fillStyle = palette["--map-ground"];
  ctx.fill();
  ctx.clip();
  if (image) {
    ctx.save();
    ctx.transform(...planTransform(view, plan));
    ctx.imageSmoothingQuality = "high";
    ctx.drawImage(image, 0, 0);
    ctx.restore();
    // plans are drawn for paper: step back behind what moves on them
    ctx.globalAlpha = palette.dark ? 0.66 : 0.2;
    ctx.fillStyle = palette["--map-shade"];
    ctx.fillRect(x0, y1, x1 - x0, y0 - y1);
  } else {
    drawGrid(ctx, view, bounds, palette);
  }
  ctx.restore();
}

function drawGrid(ctx, view, bounds, palette) {
  ctx.globalAlpha = 0.35;
  ctx.strokeStyle = palette["--line-strong"];
  ctx.beginPath();
  for (let x = Math.ceil(bounds[0] / 5) * 5; x <= bounds[2]; x += 5) segment(ctx, toScreen(view, [x, bounds[1]]), toScreen(view, [x, bounds[3]]));
  for (let y = Math.ceil(bounds[1] / 5) * 5; y <= bounds[3]; y += 5) segment(ctx, toScreen(view, [bounds[0], y]), toScreen(view, [bounds[2], y]));
  ctx.stroke();
}

function segment(ctx, a, b) {
  ctx.moveTo(...a);
  ctx.lineTo(...b);
}

function polygonPath(ctx, view, polygon) {
  ctx.beginPath();
  polygon.forEach((point, i) => ctx[i ? "lineTo" : "moveTo"](...toScreen(view, point)));
  ctx.closePath();
}

export function drawZones(ctx, view, zones, palette) {
  for (const zone of zones) {
    const colour = palette[ZONE_COLOURS[zone.kind] ?? "--zone-other"];
    polygonPath(ctx, view, zone.polygon);
    ctx.globalAlpha = 0.12;
    ctx.fillStyle = colour;
    ctx.fill();
    ctx.globalAlpha = 0.75;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1;
    ctx.setLineDash(zone.kind === "restricted" ? [5, 4] : []);
    ctx.stroke();
    ctx.setLineDash([]);
    drawZoneName(ctx, view, zone, colour, palette);
  }
  ctx.globalAlpha = 1;
}

function drawZoneName(ctx, view, zone, colour, palette) {
  ctx.font = FONT;
  const xs = zone.polygon.map((point) => toScreen(view, point)[0]);
  if (ctx.measureText(zone.name).width > Math.max(...xs) - Math.min(...xs) - 6) return; // no room for it
  ctx.globalAlpha = 1;
  const [x, y] = toScreen(view, centroid(zone.polygon));
  outlined(ctx, zone.name, x, y, colour, palette["--map-shade"], "center");
}

function outlined(ctx, text, x, y, colour, halo, align = "left") {
  ctx.textAlign = align;
  ctx.textBaseline = "middle";
  ctx.lineJoin = "round";
  ctx.lineWidth = 3;
  ctx.strokeStyle = halo;
  ctx.strokeText(text, x, y);
  ctx.fillStyle = colour;
  ctx.fillText(text, x, y);
}

export function drawFootprints(ctx, view, cameras, highlighted, palette) {
  for (const { id, footprint } of cameras) {
    if (footprint.length < 3) continue;
    const strong = id === highlighted;
    polygonPath(ctx, view, footprint);
    ctx.globalAlpha = strong ? 0.22 : 0.07;
    ctx.fillStyle = palette["--accent"];
    ctx.fill();
    ctx.globalAlpha = strong ? 0.9 : 0.35;
    ctx.strokeStyle = palette["--accent"];
    ctx.lineWidth = strong ? 2 : 1;
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

export function drawCameras(ctx, view, cameras, palette) {
  for (const { id, position, heading } of cameras) {
    if (!position) continue;
    const [x, y] = toScreen(view, position);
    ctx.save();
    ctx.translate(x, y);
    if (heading !== null) {
      ctx.rotate(-heading);
      ctx.beginPath();
      ctx.moveTo(5, -3.5);
      ctx.lineTo(14, -8);
      ctx.lineTo(14, 8);
      ctx.lineTo(5, 3.5);
      ctx.closePath();
      ctx.fillStyle = palette["--accent"];
      ctx.fill();
    }
    ctx.beginPath();
    ctx.arc(0, 0, 6, 0, 2 * Math.PI);
    ctx.fillStyle = palette["--accent"];
    ctx.strokeStyle = palette["--surface"];
    ctx.lineWidth = 2;
    ctx.fill();
    ctx.stroke();
    ctx.restore();
    ctx.font = FONT;
    // the name goes behind the camera, out of its view
    const back = heading === null ? Math.PI / 2 : heading + Math.PI;
    outlined(ctx, id, x + 18 * Math.cos(back), y - 15 * Math.sin(back), palette["--text"], palette["--surface"], "center");
  }
}

export function drawTrail(ctx, view, points, colour, faded) {
  for (let i = 1; i < points.length; i++) {
    ctx.globalAlpha = (faded ? 0.25 : 0.85) * (i / points.length) ** 1.5;
    ctx.strokeStyle = colour;
    ctx.lineWidth = 1 + (2 * i) / points.length;
    ctx.lineCap = "round";
    ctx.beginPath();
    segment(ctx, toScreen(view, points[i - 1]), toScreen(view, points[i]));
    ctx.stroke();
  }
  ctx.globalAlpha = 1;
}

/** A person: dot, and a wedge in the direction of walking. */
export function drawPerson(ctx, view, { id, position, heading }, { faded, strong }) {
  const colour = colourOf(id);
  const [x, y] = toScreen(view, position);
  const radius = strong ? 8 : 6;
  ctx.globalAlpha = faded ? 0.35 : 1;
  if (strong) {
    ctx.beginPath();
    ctx.arc(x, y, radius + 6, 0, 2 * Math.PI);
    ctx.strokeStyle = colour;
    ctx.lineWidth = 2.5;
    ctx.stroke();
  }
  if (heading !== null) drawWedge(ctx, x, y, heading, radius, colour);
  ctx.beginPath();
  ctx.arc(x, y, radius, 0, 2 * Math.PI);
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.strokeStyle = "#0b1014";
  ctx.lineWidth = 1.5;
  ctx.stroke();
  ctx.globalAlpha = 1;
}

/** Names beside their dots, each where it covers no other name; where all places are taken, the first. */
export function drawNames(ctx, view, people, palette) {
  const taken = [];
  ctx.font = FONT;
  for (const { id, at } of people) {
    const [x, y] = toScreen(view, at);
    const width = ctx.measureText(nameOf(id)).width;
    const places = [[11, -8], [11, 9], [-11 - width, -8], [-11 - width, 9], [-width / 2, -19], [-width / 2, 20]];
    const rects = places.map(([dx, dy]) => [x + dx - 2, y + dy - 7, x + dx + width + 2, y + dy + 7]);
    const free = rects.findIndex((r) => taken.every((t) => r[2] < t[0] || r[0] > t[2] || r[3] < t[1] || r[1] > t[3]));
    const [dx, dy] = places[Math.max(0, free)];
    taken.push(rects[Math.max(0, free)]);
    outlined(ctx, nameOf(id), x + dx, y + dy, palette["--text"], palette["--map-shade"]);
  }
}

function drawWedge(ctx, x, y, heading, radius, colour) {
  ctx.save();
  ctx.translate(x, y);
  ctx.rotate(-heading);
  ctx.beginPath();
  ctx.moveTo(radius + 7, 0);
  ctx.lineTo(radius - 1, -4.5);
  ctx.lineTo(radius - 1, 4.5);
  ctx.closePath();
  ctx.fillStyle = colour;
  ctx.fill();
  ctx.strokeStyle = "#0b1014";
  ctx.lineWidth = 1;
  ctx.stroke();
  ctx.restore();
}

export function drawScaleBar(ctx, view, height, palette) {
  const length = scaleBar(view, 90);
  const width = length * view.scale;
  const [x, y] = [14, height - 14];
  ctx.strokeStyle = palette["--text-soft"];
  ctx.lineWidth = 2;
  ctx.lineCap = "butt";
  ctx.beginPath();
  ctx.moveTo(x, y - 4);
  ctx.lineTo(x, y);
  ctx.lineTo(x + width, y);
  ctx.lineTo(x + width, y - 4);
  ctx.stroke();
  ctx.font = FONT;
  outlined(ctx, `${length} m`, x + width + 6, y - 3, palette["--text-soft"], palette["--map-shade"]);
}
