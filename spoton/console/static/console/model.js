// The server's answers in the words of the console: metres as [x, y], times in milliseconds.

export const RUNNING = new Set(["QUEUED", "INITIALIZING", "PROCESSING", "PAUSED"]);

export function environmentOf(data) {
  const { bounds_m: b } = data.map;
  return {
    id: data.environment_id,
    name: data.name,
    description: data.description,
    timezone: data.timezone || "UTC",
    mayControl: ["admin", "operator"].includes(data.role),
    bounds: [b.min_x, b.min_y, b.max_x, b.max_y],
    planUrl: data.map.image_url,
    plan: {
      origin: data.map.origin_m,
      pixelsPerMetre: data.map.pixels_per_metre,
      rotationDeg: data.map.rotation_deg,
    },
    cameras: data.cameras.map((camera) => ({
      id: camera.camera_id,
      name: camera.name,
      width: camera.image_width_px,
      height: camera.image_height_px,
      fps: camera.fps,
      hasLive: camera.has_live,
      calibrated: camera.calibration_quality !== "uncalibrated",
      position: camera.position_m,
      heading: camera.heading_deg === null ? null : (camera.heading_deg * Math.PI) / 180,
      footprint: camera.footprint_m ?? [],
    })),
    zones: data.zones.map((zone) => ({ id: zone.zone_id, name: zone.name, kind: zone.kind, polygon: zone.polygon_m })),
  };
}

/** {cameras: Map(id -> spans), spans: newest first}; a span is {start, end} in ms. */
export function rangesOf(data) {
  const spanOf = ({ start, end }) => ({ start: Date.parse(start), end: Date.parse(end) });
  const cameras = new Map(data.cameras.map(({ camera_id: id, ranges }) => [id, ranges.map(spanOf)]));
  // without a moment common to all cameras there is still footage of single ones
  const all = data.common.length ? data.common.map(spanOf) : [...cameras.values()].flat();
  const unique = new Map(all.map((span) => [`${span.start}-${span.end}`, span]));
  return { cameras, spans: [...unique.values()].sort((a, b) => b.start - a.start) };
}

const STATUS = {
  QUEUED: ["Waiting", "info"],
  INITIALIZING: ["Starting", "info"],
  PROCESSING: ["Running", "good"],
  PAUSED: ["Paused", "warn"],
  COMPLETED: ["Completed", "good"],
  STOPPED: ["Stopped", ""],
  FAILED: ["Failed", "bad"],
};

/** [word, tone] of a task's status. */
export function statusOf(task) {
  return STATUS[task.status] ?? [task.status, ""];
}

export function modeOf(task) {
  if (task.mode === "live") return "Live";
  return task.pacing === "max" ? "Recording, as fast as possible" : "Recording, real time";
}

export function droppedBy(task) {
  return Object.values(task.camera_status ?? {}).reduce((sum, camera) => sum + (camera.dropped ?? 0), 0);
}
